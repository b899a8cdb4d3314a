import * as genServer from "../actor/gen-server/gen-server.ts";
import type { ArgumentOf, CallOptions, ReplyOf } from "../actor/gen-server/handler-types.ts";
import type { Status } from "../actor/inspection/format-status.ts";
import type { ExitReason } from "../actor/lifecycle/exit-reason.ts";
import { isText, mustTake } from "../core/argument.ts";
import { shown } from "../core/shown.ts";
import type { Clock } from "../core/time/clock.ts";
import type { ActorRef } from "./actor-ref.ts";
import { type Check, checkOptions, fields, fun, functions, millisecondsOrInfinity, optional } from "./checks/faults.ts";
import { livingServer, mustServe } from "./checks/servers.ts";
import type { Logic } from "./logic.ts";

/** Marks types only. */
declare const handlers: unique symbol;

/**
 * The reference to a server, which knows what the server can be asked.
 *
 * @example
 * const ref: GenServerRefFrom<typeof cache> = await startChild(system.root, { id: "cache", logic: cache });
 * await call(ref, "get", "apple"); // the compiler knows the names, the arguments and the reply
 */
export interface GenServerRef<Calls, Casts> extends ActorRef {
  /** What it can be asked and told. */
  readonly [handlers]: { readonly calls: Calls; readonly casts: Casts };
}

/**
 * What {@link fromGenServer} makes.
 *
 * @example
 * const cache: GenServerLogic<undefined, { size: (state: Map<string, string>) => number }, {}> = fromGenServer({
 *   init: () => new Map<string, string>(),
 *   handleCall: { size: (state) => state.size },
 * });
 */
export interface GenServerLogic<Input, Calls, Casts> extends Logic<GenServerRef<Calls, Casts>, Input> {}

/**
 * The type of the references to a server's actors.
 *
 * @example
 * type Cache = GenServerRefFrom<typeof cache>;
 * const size = (ref: Cache) => call(ref, "size");
 */
export type GenServerRefFrom<Made> =
  Made extends GenServerLogic<infer _Input, infer Calls, infer Casts> ? GenServerRef<Calls, Casts> : never;

/**
 * What a server's functions can do beside their work: their last argument.
 *
 * @example
 * const clock = fromGenServer({
 *   init: (_input: undefined, server) => {
 *     server.sendAfter({ type: "tick" }, 1000);
 *     return { ticks: 0 };
 *   },
 *   handleInfo: (state) => void state.ticks++,
 * });
 */
export interface Server {
  /** The server itself. */
  readonly self: ActorRef;
  /** The time of its system. */
  readonly clock: Clock;
  /** The actor registered under `name` now. Ask at each use: a restart changes it. */
  whereis<Ref extends ActorRef = ActorRef>(name: string): Ref | undefined;
  /**
   * In `init`: the table `name` that survived the server's predecessor, else a new one. The system is every table's heir,
   * as in ETS with the option `heir`: it outlives the crash of its owner, and is freed when the system ends.
   *
   * @throws GenApiError `already_started` while another living actor owns the table
   */
  table<Table>(name: string, create: () => Table): Table;
  /**
   * Sends the server an event for `handleInfo` after `ms` milliseconds, unless it ends before (`Process.send_after/3`).
   * @returns how to call it off
   */
  sendAfter(event: { readonly type: string }, ms: number): () => void;
}

// `never` lets a handler declare any argument, and a handler that declares none be called with none.
type CallHandlers<State> = Record<string, (state: State, argument: never, from: never, server: Server) => unknown>;
type CastHandlers<State> = Record<string, (state: State, argument: never, server: Server) => unknown>;

/**
 * The functions of a server. `State` is its own to mutate, and lives as long as the server.
 *
 * @example
 * const options: GenServerOptions<{ hits: number }, undefined, {}, {}, { type: "hit" }> = {
 *   init: () => ({ hits: 0 }),
 *   handleInfo: (state) => void state.hits++,
 * };
 * fromGenServer(options);
 */
export interface GenServerOptions<State, Input, Calls, Casts, Info extends { readonly type: string }> {
  /** Makes the state, at once: a promise is refused. A throw fails the start. */
  init(input: Input, server: Server): State;
  /**
   * Answer requests, by name: what a handler returns is the reply; `noReply`, `stop` and `refuse` say otherwise. A promise
   * answers, or refuses, when it settles; the server goes on with other messages meanwhile. A throw ends the server.
   */
  handleCall?: Calls & CallHandlers<State>;
  /** Take messages that nobody waits for, by name; may return `stop`. A throw or rejection ends the server. */
  handleCast?: Casts & CastHandlers<State>;
  /** Takes every other event; may return `stop`. @default events are ignored */
  handleInfo?(state: State, event: Info, server: Server): unknown;
  /**
   * Runs once when the server ends, whatever the reason, killed included (unlike OTP, where the VM closes what a killed
   * process held). When the server was asked to end or stopped by itself, a promise delays the end until it settles or
   * the shutdown time is over; nothing is served meanwhile.
   */
  terminate?(state: State, reason: ExitReason, server: Server): unknown;
  /** What inspectors see of the state: plain data, small, and nothing secret. @default nothing */
  formatStatus?(state: State): Status;
}

const isServer: Check = fields({
  init: fun,
  handleCall: optional(functions),
  handleCast: optional(functions),
  handleInfo: optional(fun),
  terminate: optional(fun),
  formatStatus: optional(fun),
});

/**
 * A server (`GenServer`): state of its own, messages handled one after another.
 *
 * @throws GenApiError `invalid_option` for wrong options
 * @example
 * const counter = fromGenServer({
 *   init: (from: number) => ({ count: from }),
 *   handleCall: { add: (state, by: number) => (state.count += by) },
 *   handleCast: { reset: (state) => void (state.count = 0) },
 * });
 * const ref = await startChild(system.root, { id: "counter", logic: counter, input: 40 });
 * await call(ref, "add", 2); // 42
 */
export function fromGenServer<
  State,
  Input = undefined,
  Calls = Record<never, never>,
  Casts = Record<never, never>,
  Info extends { readonly type: string } = { readonly type: string },
>(options: GenServerOptions<State, Input, Calls, Casts, Info>): GenServerLogic<Input, Calls, Casts> {
  const checked = Object.entries(checkOptions("fromGenServer", options, isServer));
  // Of a class, perhaps, whose methods need their object.
  const bound = checked.map(([name, each]) => {
    if (typeof each !== "function") return [name, each];
    return [name, (...given: unknown[]) => Reflect.apply(each, options, given)];
  });
  return genServer.fromGenServer(Object.fromEntries(bound)) as unknown as GenServerLogic<Input, Calls, Casts>;
}

/**
 * Asks a server and waits for its reply (`GenServer.call/3`).
 *
 * @throws GenApiError (as a rejection) `noproc` when there is no such server, it has ended, or ends before it replies,
 * then with its error as cause; `timeout`; `invalid_request` for what is no server, `not_found` where it has no such
 * handler, both at once; and whatever the handler refused with
 * @example
 * const count = await call(system.whereis("counter"), "add", 1, { timeoutMs: 1000 });
 */
export async function call<Calls, Casts, Name extends string & keyof Calls>(
  ref: GenServerRef<Calls, Casts> | undefined,
  name: Name,
  ...[argument, options]: undefined extends ArgumentOf<Calls[Name]>
    ? [argument?: ArgumentOf<Calls[Name]>, options?: CallOptions]
    : [argument: ArgumentOf<Calls[Name]>, options?: CallOptions]
): Promise<ReplyOf<Calls[Name]>> {
  if (typeof name !== "string") checkName("call", name);
  const checked = options === undefined ? undefined : checkOptions(`call ${shown(name)}`, options, callOptions);
  if (ref !== undefined) mustServe("call", ref, name);
  return genServer.call(ref as AnyServer | undefined, name, argument as never, checked as never) as never;
}

/**
 * Tells a server something (`GenServer.cast/2`); nobody learns whether it arrived.
 *
 * @throws GenApiError `invalid_request` for what is no server, `not_found` where it has no such handler
 * @example
 * cast(system.whereis("counter"), "reset");
 */
export function cast<Calls, Casts, Name extends string & keyof Casts>(
  ref: GenServerRef<Calls, Casts> | undefined,
  name: Name,
  ...[argument]: undefined extends ArgumentOf<Casts[Name]>
    ? [argument?: ArgumentOf<Casts[Name]>]
    : [argument: ArgumentOf<Casts[Name]>]
): void {
  if (typeof name !== "string") checkName("cast", name);
  if (ref !== undefined)
    genServer.cast(livingServer("cast", ref, name) as AnyServer | undefined, name, argument as never);
}

const callOptions = fields({ timeoutMs: optional(millisecondsOrInfinity) });

type AnyServer = genServer.GenServerRef<Record<string, () => unknown>, Record<string, () => unknown>>;

function checkName(what: string, name: unknown): void {
  mustTake(what, "the name of a handler", name, isText);
}
