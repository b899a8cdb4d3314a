import type { ActorRef } from "./actor-ref.ts";

/** Marks types only. */
declare const makes: unique symbol;
declare const names: unique symbol;

/**
 * What an actor does, and what it is started with: what `fromGenServer`, `fromSupervisor`, `fromDynamicSupervisor`
 * and `fromResource` make (in Elixir: a module with a behaviour).
 *
 * @example
 * const cache: Logic = fromGenServer({ init: () => new Map() });
 * startSystem({ name: "shop", children: [{ id: "cache", logic: cache }] });
 */
export interface Logic<Ref extends ActorRef = ActorRef, Input = never> {
  /** Only `gen-api/otp` makes one. */
  readonly [makes]: (input: Input) => Ref;
}

/**
 * The reference to a supervisor, dynamic or not.
 *
 * @example
 * const supervisor: SupervisorRef = system.root;
 * countChildren(supervisor).active;
 */
export interface SupervisorRef extends ActorRef {
  /** What has children. */
  readonly [names]: true;
}

/**
 * What `fromSupervisor` and `fromDynamicSupervisor` make.
 *
 * @example
 * const pollers: SupervisorLogic = fromDynamicSupervisor();
 * startSystem({ name: "shop", children: [{ id: "pollers", logic: pollers }] });
 */
export interface SupervisorLogic<Names = unknown> extends Logic<SupervisorRef, undefined> {
  /** The names that its children are registered under. */
  readonly [names]: Names;
}

/**
 * A logic of XState's: a machine, or what its `fromPromise`, `fromCallback` and the like make. Told by its shape, so that
 * it is whichever XState the host has.
 *
 * @example
 * const order: XStateLogic = setup({}).createMachine({ initial: "open", states: { open: {} } });
 * startSystem({ name: "shop", children: [{ id: "order", logic: order }] });
 */
export interface XStateLogic {
  /** What it makes of an event. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the logic's own types are.
  transition(snapshot: any, event: any, scope: any): unknown;
  /** How it starts. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the logic's own types are.
  getInitialSnapshot(scope: any, input: any): unknown;
}

/**
 * The reference to an actor of a logic of XState's.
 *
 * @example
 * const ref: MachineRef<typeof order> = await startChild(system.root, { id: "order", logic: order });
 * ref.send({ type: "pay" });
 * ref.getSnapshot().value; // "paid"
 */
export type MachineRef<Machine extends XStateLogic> = ActorRef & {
  /** Sends the machine one of its events. */
  send(event: Parameters<Machine["transition"]>[1]): void;
  /** What the machine is now. */
  getSnapshot(): ReturnType<Machine["transition"]>;
};

/**
 * What a child can do: a logic of this package, or of XState's.
 *
 * @example
 * const logics: AnyLogic[] = [fromGenServer({ init: () => 0 }), setup({}).createMachine({})];
 */
export type AnyLogic = Logic | XStateLogic;

/**
 * The reference to an actor of a logic.
 *
 * @example
 * let server: RefOf<typeof cache> | undefined = system.whereis("cache");
 */
export type RefOf<Made extends AnyLogic> =
  Made extends Logic<infer Ref, infer _Input> ? Ref : Made extends XStateLogic ? MachineRef<Made> : never;

/**
 * What an actor of a logic is started with.
 *
 * @example
 * const input: InputOf<typeof counter> = 40;
 */
export type InputOf<Made extends AnyLogic> =
  Made extends Logic<infer _Ref, infer Input>
    ? Input
    : Made extends XStateLogic
      ? Parameters<Made["getInitialSnapshot"]>[1]
      : never;
