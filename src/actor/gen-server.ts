import type { ActorLogic, ActorRef, AnyActorRef, AnyEventObject, EventObject, Snapshot } from "xstate";
import type { Clock } from "../core/clock.ts";
import { libraryError, toError } from "../core/errors.ts";
import { type From, request } from "./call.ts";
import { contain, type GracefulLogic } from "./contain.ts";
import { type ExitReason, markExit } from "./exit.ts";
import { contextOf, whereis } from "./system-context.ts";
import { claimTable } from "./table.ts";

/** What a server's functions can do beside their work. */
export interface Server {
  readonly self: AnyActorRef;
  readonly clock: Clock;
  /** The actor registered under `name` now. Ask at each use: a restart changes it. */
  whereis<Ref extends AnyActorRef = AnyActorRef>(name: string): Ref | undefined;
  /** In `init`: see {@link claimTable}. */
  table<Table>(name: string, create: () => Table): Table;
  /** Sends the server an event for `handleInfo` after `ms` milliseconds, unless it ends before; returns a cancel. */
  sendAfter(event: EventObject, ms: number): () => void;
}

/** What a call handler returns to answer later, by {@link reply}. */
export const noReply: unique symbol = Symbol("noReply");

class Stop<Reply> {
  readonly reason: ExitReason;
  readonly replies: readonly Reply[];
  constructor(reason: ExitReason, replies: readonly Reply[]) {
    this.reason = reason;
    this.replies = replies;
  }
}

class Refusal {
  readonly error: Error;
  constructor(error: Error) {
    this.error = error;
  }
}

/** Returned by a handler, ends the server for `reason`; a call handler can give its answer with it. */
export function stop(reason: ExitReason): Stop<never>;
export function stop<Reply>(reason: ExitReason, reply: Reply): Stop<Reply>;
export function stop(reason: ExitReason, ...replies: unknown[]): Stop<unknown> {
  return new Stop(reason, replies);
}

/** Returned by a call handler, rejects the call with `error`; the server itself goes on. */
export function refuse(error: Error): Refusal {
  return new Refusal(error);
}

// `never` lets a handler declare any argument, and a handler that declares none be called with none.
type CallHandlers<State> = Record<string, (state: State, argument: never, from: never, server: Server) => unknown>;
type CastHandlers<State> = Record<string, (state: State, argument: never, server: Server) => unknown>;

/** The functions of a server. `State` is its own to mutate, and lives as long as the server. */
export interface GenServerOptions<State, Input, Calls, Casts, Info extends EventObject> {
  /** Makes the state. A throw fails the start. */
  init(input: Input, server: Server): State;
  /**
   * Answer requests, by name: what a handler returns is the reply; {@link noReply}, {@link stop} and {@link refuse} say
   * otherwise. A promise answers when it settles; the server goes on with other messages meanwhile. A throw ends the
   * server.
   */
  handleCall?: Calls & CallHandlers<State>;
  /** Take messages that nobody waits for, by name; may return {@link stop}. A throw ends the server. */
  handleCast?: Casts & CastHandlers<State>;
  /** Takes every other event; may return {@link stop}. @default events are ignored */
  handleInfo?(state: State, event: Info, server: Server): unknown;
  /**
   * Runs once when the server ends, whatever the reason, killed included (unlike OTP, where the VM closes what a killed
   * process held). When asked to end, a promise delays the end until it settles or the shutdown time is over.
   */
  terminate?(state: State, reason: ExitReason, server: Server): unknown;
}

declare const handlers: unique symbol;

/** A reference to a server that says what it can be asked. */
export interface GenServerRef<Calls, Casts> extends ActorRef<Snapshot<unknown>, AnyEventObject> {
  readonly [handlers]?: { readonly calls: Calls; readonly casts: Casts };
}

/** The logic that {@link fromGenServer} makes. */
export interface GenServerLogic<Input, Calls, Casts>
  extends ActorLogic<Snapshot<unknown>, AnyEventObject, Input>,
    GracefulLogic {
  readonly [handlers]?: { readonly calls: Calls; readonly casts: Casts };
}

/** The reference type of a server's logic: `GenServerRefFrom<typeof configCache>`. */
export type GenServerRefFrom<Logic> =
  Logic extends GenServerLogic<infer _Input, infer Calls, infer Casts> ? GenServerRef<Calls, Casts> : never;

type ArgumentOf<Handler> = Handler extends (state: never, ...rest: infer Rest) => unknown
  ? Rest extends [infer Argument, ...unknown[]]
    ? Argument
    : undefined
  : never;

type ReplyOf<Handler> = Handler extends (...args: infer Args) => infer Result
  ? Args extends [unknown, unknown, From<infer Late>, ...unknown[]]
    ? Late
    : ReplyIn<Awaited<Result>>
  : never;
type ReplyIn<Result> = Result extends typeof noReply | Refusal
  ? never
  : Result extends Stop<infer Reply>
    ? Reply
    : Result;

/** How long a call waits. */
export interface CallOptions {
  /** @default 5000, as in OTP */
  readonly timeoutMs?: number | "infinity";
}

/**
 * Asks a server and waits for its reply.
 *
 * @throws GenApiError (as a rejection) `noproc` when the server has ended, or ends before it replies, then with its
 * error as cause; `timeout`; and whatever its handler refused with
 */
export function call<Calls, Casts, Name extends string & keyof Calls>(
  ref: GenServerRef<Calls, Casts> | undefined,
  name: Name,
  ...[argument, options]: undefined extends ArgumentOf<Calls[Name]>
    ? [argument?: ArgumentOf<Calls[Name]>, options?: CallOptions]
    : [argument: ArgumentOf<Calls[Name]>, options?: CallOptions]
): Promise<ReplyOf<Calls[Name]>> {
  return request(ref, name, options?.timeoutMs ?? 5000, (from) => ({ type: "gen_server.call", name, argument, from }));
}

/** Tells a server something; nobody learns whether it arrived. */
export function cast<Calls, Casts, Name extends string & keyof Casts>(
  ref: GenServerRef<Calls, Casts> | undefined,
  name: Name,
  ...[argument]: undefined extends ArgumentOf<Casts[Name]>
    ? [argument?: ArgumentOf<Casts[Name]>]
    : [argument: ArgumentOf<Casts[Name]>]
): void {
  ref?.send({ type: "gen_server.cast", name, argument });
}

interface CallEvent {
  readonly type: "gen_server.call";
  readonly name: string;
  readonly argument: never;
  readonly from: From<unknown>;
}
interface CastEvent {
  readonly type: "gen_server.cast";
  readonly name: string;
  readonly argument: never;
}
interface TerminatedEvent {
  readonly type: "gen_server.terminated";
  readonly failure?: Error;
}

interface Running<State> {
  readonly state: State;
  readonly server: Server;
  readonly timers: Set<unknown>;
  /** Why the server is ending or has ended. */
  ending: ExitReason | undefined;
}

type GenServerSnapshot<State> = Snapshot<unknown> & { readonly running: Running<State> };

/**
 * A server in the manner of OTP's `gen_server`: state of its own, requests answered one after another.
 *
 * Differences from OTP: a running handler cannot be interrupted, there is no selective receive, and the state is
 * mutated rather than passed on.
 */
export function fromGenServer<
  State,
  Input = undefined,
  Calls = Record<never, never>,
  Casts = Record<never, never>,
  Info extends EventObject = EventObject,
>(options: GenServerOptions<State, Input, Calls, Casts, Info>): GenServerLogic<Input, Calls, Casts> {
  const calls = new Map(Object.entries((options.handleCall ?? {}) as CallHandlers<State>));
  const casts = new Map(Object.entries((options.handleCast ?? {}) as CastHandlers<State>));
  type Current = GenServerSnapshot<State>;

  function handle(snapshot: Current, event: EventObject): Current {
    const { running } = snapshot;
    const { state, server } = running;
    let result: unknown;
    switch (event.type) {
      case "gen_server.call": {
        const { name, argument, from } = event as CallEvent;
        result = handlerOf(calls, name, "call")(state, argument, from as never, server);
        answer(from, result);
        break;
      }
      case "gen_server.cast": {
        const { name, argument } = event as CastEvent;
        result = handlerOf(casts, name, "cast")(state, argument, server);
        break;
      }
      case "actor.shutdown":
        return end(snapshot, "shutdown");
      default:
        result = options.handleInfo?.(state, event as Info, server);
    }
    return result instanceof Stop ? end(snapshot, result.reason) : snapshot;
  }

  function end(snapshot: Current, reason: ExitReason): Current {
    const pending = release(snapshot.running, reason);
    if (!(pending instanceof Promise)) return ended(snapshot);
    const { self } = snapshot.running.server;
    pending.then(
      () => self.send({ type: "gen_server.terminated" } satisfies TerminatedEvent),
      (error) => self.send({ type: "gen_server.terminated", failure: toError(error) } satisfies TerminatedEvent),
    );
    return snapshot;
  }

  function release(running: Running<State>, reason: ExitReason): unknown {
    running.ending = reason;
    for (const timer of running.timers) running.server.clock.clearTimeout(timer);
    running.timers.clear();
    return options.terminate?.(running.state, reason, running.server);
  }

  const logic = {
    isGraceful: true as const,
    config: options,
    getInitialSnapshot(scope: { self: AnyActorRef }, input: Input): Current {
      const timers = new Set<unknown>();
      const server = createServer(scope.self, timers);
      try {
        const running = { state: options.init(input, server), server, timers, ending: undefined };
        return { status: "active", output: undefined, error: undefined, running };
      } catch (error) {
        for (const timer of timers) server.clock.clearTimeout(timer);
        throw error;
      }
    },
    transition(snapshot: Current, event: EventObject): Current {
      const { running } = snapshot;
      if (event.type === "xstate.stop") {
        if (running.ending === undefined) release(running, "killed");
        return { ...snapshot, status: "stopped" } as Current;
      }
      if (running.ending !== undefined) {
        // Nothing is served any more; callers are told when the end has come.
        if (event.type !== "gen_server.terminated") return snapshot;
        const { failure } = event as TerminatedEvent;
        if (failure !== undefined) throw failure;
        return ended(snapshot);
      }
      try {
        return handle(snapshot, event);
      } catch (thrown) {
        const error = toError(thrown);
        if (running.ending === undefined) release(running, { error });
        throw error;
      }
    },
    getPersistedSnapshot: ({ status, output, error }: Current) => ({ status, output, error }) as Snapshot<unknown>,
  };
  return contain(logic as never);
}

function ended<State>(snapshot: GenServerSnapshot<State>): GenServerSnapshot<State> {
  const { ending, server } = snapshot.running;
  if (typeof ending === "object") throw ending.error;
  if (ending === "killed") throw libraryError("stopped", `The actor "${server.self.id}" stopped as killed`);
  if (ending === "shutdown") markExit(server.self, "shutdown");
  return { ...snapshot, status: "done", output: undefined, error: undefined };
}

function answer(from: From<unknown>, result: unknown): void {
  if (result === noReply) return;
  if (result instanceof Promise) {
    result.then(
      (value) => answer(from, value),
      (error) => from.fail(error),
    );
  } else if (result instanceof Refusal) {
    from.fail(result.error);
  } else if (!(result instanceof Stop)) {
    from.settle(result);
  } else if (result.replies.length > 0) {
    from.settle(result.replies[0]);
  }
}

function handlerOf<Handler>(table: ReadonlyMap<string, Handler>, name: string, kind: string): Handler {
  const handler = table.get(name);
  if (handler !== undefined) return handler;
  throw libraryError("not_found", `No ${kind} "${name}"; there are ${[...table.keys()].join(", ") || "none"}`);
}

function createServer(self: AnyActorRef, timers: Set<unknown>): Server {
  const { clock } = contextOf(self);
  return {
    self,
    clock,
    whereis: (name) => whereis(self, name),
    table: (name, create) => claimTable(self, name, create),
    sendAfter(event, ms) {
      const timer = clock.setTimeout(() => {
        timers.delete(timer);
        self.send(event);
      }, ms);
      timers.add(timer);
      return () => {
        timers.delete(timer);
        clock.clearTimeout(timer);
      };
    },
  };
}
