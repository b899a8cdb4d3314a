import type { ActorLogic, AnyActorRef, AnyEventObject, EventObject, Snapshot } from "xstate";
import { isFunction, isText, mustTake } from "../../core/argument.ts";
import { libraryError, toError } from "../../core/errors.ts";
import { isThenable, settle as settleValue, whenRejected } from "../../core/foreign/thenable.ts";
import { type Clock, longestTimer } from "../../core/time/clock.ts";
import type { Status } from "../inspection/format-status.ts";
import { contain, type GracefulLogic } from "../lifecycle/contain.ts";
import { mustTakeEvent } from "../lifecycle/event.ts";
import { type ExitReason, isAlive, markExit } from "../lifecycle/exit.ts";
import { contextOf, whereis } from "../lifecycle/system-context.ts";
import type { CallEvent, CastEvent, GenServerRef, handlers } from "./gen-server-ref.ts";
import { noReply, RefusedCall, Stop } from "./handler-result.ts";
import type { From } from "./pending-request.ts";
import { claimTable } from "./table.ts";

export { call, cast, type GenServerRef } from "./gen-server-ref.ts";
export { noReply, refuse, stop } from "./handler-result.ts";

/** Services for a server's handlers. */
export interface Server {
  readonly self: AnyActorRef;
  readonly clock: Clock;
  /** The actor currently registered under `name`. Look it up for each use: a restart changes it. */
  whereis<Ref extends AnyActorRef = AnyActorRef>(name: string): Ref | undefined;
  /** Only in `init`: see {@link claimTable}. */
  table<Table>(name: string, create: () => Table): Table;
  /**
   * Sends the server an event for `handleInfo` after `ms` milliseconds, unless it ends first.
   * @returns a function that cancels it
   */
  sendAfter(event: EventObject, ms: number): () => void;
}

// `never` lets a handler declare any argument, and a handler that declares none be called with none.
type CallHandlers<State> = Record<string, (state: State, argument: never, from: never, server: Server) => unknown>;
type CastHandlers<State> = Record<string, (state: State, argument: never, server: Server) => unknown>;

/** The functions of a server. `State` belongs to it, may be mutated, and lives as long as the server. */
export interface GenServerOptions<State, Input, Calls, Casts, Info extends EventObject> {
  /** Creates the state. A throw fails the start. */
  init(input: Input, server: Server): State;
  /**
   * Answer requests, by name. A handler's result is the reply, unless it is {@link noReply}, {@link stop} or {@link
   * refuse}. A promise answers, or refuses, when it settles; meanwhile the server handles other messages. A throw ends
   * the server.
   */
  handleCall?: Calls & CallHandlers<State>;
  /** Handle messages without an answer, by name; may return {@link stop}. A throw or rejection ends the server. */
  handleCast?: Casts & CastHandlers<State>;
  /** Handles every other event; may return {@link stop}. @default events are ignored */
  handleInfo?(state: State, event: Info, server: Server): unknown;
  /**
   * Runs once when the server ends, for any reason, even when killed (unlike OTP, where the VM closes what a killed
   * process held). If the server was asked to end or stopped by itself, a promise delays the end until it settles or
   * the shutdown time is over; the server handles nothing meanwhile.
   */
  terminate?(state: State, reason: ExitReason, server: Server): unknown;
  /** The part of the state that inspectors see, see {@link Status}. @default nothing */
  formatStatus?(state: State): Status;
}

/** The logic that {@link fromGenServer} makes. */
export interface GenServerLogic<Input, Calls, Casts>
  extends ActorLogic<Snapshot<unknown>, AnyEventObject, Input>,
    GracefulLogic {
  readonly [handlers]?: { readonly calls: Calls; readonly casts: Casts };
}

/** The reference type of a server's logic: `GenServerRefFrom<typeof functionTableActor>`. */
export type GenServerRefFrom<Logic> =
  Logic extends GenServerLogic<infer _Input, infer Calls, infer Casts> ? GenServerRef<Calls, Casts> : never;

/** The handlers that a server has, by name. */
export interface Requests {
  readonly call: ReadonlyMap<string, unknown>;
  readonly cast: ReadonlyMap<string, unknown>;
}

/** A promise of a handler, or of `terminate`, has settled. */
interface SettledEvent {
  readonly type: "gen_server.settled" | "gen_server.terminated";
  readonly result?: unknown;
  readonly failure?: Error;
  readonly from?: From<unknown> | undefined;
}

/** The timers of a server; one that has ended sets no more, though an asynchronous handler of it may go on. */
interface Timers {
  readonly pending: Set<unknown>;
  areOver: boolean;
}

interface Running<State> {
  readonly state: State;
  readonly server: Server;
  readonly timers: Timers;
  /** Why the server is ending or has ended. */
  ending: ExitReason | undefined;
}

type GenServerSnapshot<State> = Snapshot<unknown> & { readonly running: Running<State> };

/**
 * A server in the manner of OTP's `gen_server`: it owns its state and answers requests one after another.
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
    const { state, server } = snapshot.running;
    switch (event.type) {
      case "gen_server.call": {
        const { name, argument, from } = event as CallEvent;
        return settle(snapshot, handlerOf(calls, name, "call")(state, argument, from as never, server), from);
      }
      case "gen_server.cast": {
        const { name, argument } = event as CastEvent;
        return settle(snapshot, handlerOf(casts, name, "cast")(state, argument, server), undefined);
      }
      case "gen_server.settled": {
        const { result, failure, from } = event as SettledEvent;
        if (failure !== undefined) throw failure;
        return settle(snapshot, result, from);
      }
      case "actor.shutdown":
        return end(snapshot, "shutdown");
      default:
        return settle(snapshot, options.handleInfo?.(state, event as Info, server), undefined);
    }
  }

  /** Applies a handler's result. `from`: the waiting caller. */
  function settle(snapshot: Current, result: unknown, from: From<unknown> | undefined): Current {
    if (isThenable(result)) {
      settleLater(snapshot.running.server.self, result, from);
      return snapshot;
    }
    if (from !== undefined) answer(from, result);
    return result instanceof Stop ? end(snapshot, result.reason) : snapshot;
  }

  function end(snapshot: Current, reason: ExitReason): Current {
    const pending = release(snapshot.running, reason);
    if (!isThenable(pending)) return ended(snapshot);
    const { self } = snapshot.running.server;
    settleValue(
      pending,
      () => self.send({ type: "gen_server.terminated" } satisfies SettledEvent),
      (error) => self.send({ type: "gen_server.terminated", failure: toError(error) } satisfies SettledEvent),
    );
    return snapshot;
  }

  function release(running: Running<State>, reason: ExitReason): unknown {
    running.ending = reason;
    stopTimers(running.timers, running.server.clock);
    return options.terminate?.(running.state, reason, running.server);
  }

  /** Terminates a server that ends at once, for a reason that a late failure of `terminate` cannot change. */
  function releaseNow(running: Running<State>, reason: ExitReason): void {
    if (running.ending !== undefined) return;
    const pending = release(running, reason);
    if (isThenable(pending)) whenRejected(pending);
  }

  const logic = {
    isGraceful: true as const,
    behaviour: "gen_server" as const,
    requests: { call: calls, cast: casts } satisfies Requests,
    config: options,
    formatStatus: ({ running }: Current) => options.formatStatus?.(running.state) ?? {},
    getInitialSnapshot(scope: { self: AnyActorRef }, input: Input): Current {
      const timers: Timers = { pending: new Set(), areOver: false };
      const server = createServer(scope.self, timers);
      try {
        const state = options.init(input, server);
        if (isThenable(state)) {
          whenRejected(state);
          throw libraryError("invalid_option", `init of "${scope.self.id}" must return the state, got a promise`);
        }
        const running = { state, server, timers, ending: undefined };
        return { status: "active", output: undefined, error: undefined, running };
      } catch (error) {
        stopTimers(timers, server.clock);
        throw error;
      }
    },
    transition(snapshot: Current, event: EventObject): Current {
      const { running } = snapshot;
      if (event.type === "xstate.stop") {
        releaseNow(running, "killed");
        return { ...snapshot, status: "stopped" } as Current;
      }
      if (running.ending !== undefined) {
        // Nothing is handled any more; callers are notified at the end.
        if (event.type !== "gen_server.terminated") return snapshot;
        const { failure } = event as SettledEvent;
        if (failure !== undefined) throw failure;
        return ended(snapshot);
      }
      try {
        return handle(snapshot, event);
      } catch (thrown) {
        const error = toError(thrown);
        releaseNow(running, { error });
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
  if (result instanceof RefusedCall) from.fail(result.error);
  else if (!(result instanceof Stop)) from.settle(result);
  else if (result.replies.length > 0) from.settle(result.replies[0]);
}

/**
 * Handles a promise's result in a turn of the server's own. A rejection fails the caller, or the server if there is
 * none.
 */
function settleLater(self: AnyActorRef, promise: PromiseLike<unknown>, from: From<unknown> | undefined): void {
  const settled = (event: SettledEvent) => {
    if (isAlive(self)) self.send(event);
  };
  settleValue(
    promise,
    (result) => settled({ type: "gen_server.settled", result, from }),
    (error) => {
      if (from !== undefined) from.fail(error);
      else settled({ type: "gen_server.settled", failure: toError(error) });
    },
  );
}

function handlerOf<Handler>(table: ReadonlyMap<string, Handler>, name: string, kind: string): Handler {
  const handler = table.get(name);
  if (handler !== undefined) return handler;
  throw libraryError("not_found", `No ${kind} "${name}"; there are ${[...table.keys()].join(", ") || "none"}`);
}

function isTimer(ms: unknown): boolean {
  return typeof ms === "number" && ms >= 0 && ms <= longestTimer;
}

function stopTimers(timers: Timers, clock: Clock): void {
  timers.areOver = true;
  for (const timer of timers.pending) clock.clearTimeout(timer);
  timers.pending.clear();
}

function createServer(self: AnyActorRef, timers: Timers): Server {
  const { clock } = contextOf(self);
  return {
    self,
    clock,
    whereis(name) {
      mustTake("whereis", "the name of an actor", name, isText);
      return whereis(self, name);
    },
    table(name, create) {
      mustTake("table", "a name", name, isText);
      mustTake(`table "${name}"`, "a function that makes the table", create, isFunction);
      return claimTable(self, name, create);
    },
    sendAfter(event, ms) {
      mustTakeEvent("sendAfter", event);
      mustTake("sendAfter", `a number of milliseconds from 0 to ${longestTimer}`, ms, isTimer);
      if (timers.areOver) return () => undefined;
      const timer = clock.setTimeout(() => {
        timers.pending.delete(timer);
        self.send(event);
      }, ms);
      timers.pending.add(timer);
      return () => {
        timers.pending.delete(timer);
        clock.clearTimeout(timer);
      };
    },
  };
}
