import type { ActorLogic, AnyActorRef, AnyEventObject, EventObject, Snapshot } from "xstate";
import type { Clock } from "../core/clock.ts";
import { libraryError, toError } from "../core/errors.ts";
import type { CallEvent, CastEvent, GenServerRef, handlers } from "./call.ts";
import { contain, type GracefulLogic } from "./contain.ts";
import { type ExitReason, isAlive, markExit } from "./exit.ts";
import type { Status } from "./format-status.ts";
import { noReply, Refusal, Stop } from "./handler-result.ts";
import type { From } from "./request.ts";
import { contextOf, whereis } from "./system-context.ts";
import { claimTable } from "./table.ts";

export { call, cast, type GenServerRef } from "./call.ts";
export { noReply, refuse, stop } from "./handler-result.ts";

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

// `never` lets a handler declare any argument, and a handler that declares none be called with none.
type CallHandlers<State> = Record<string, (state: State, argument: never, from: never, server: Server) => unknown>;
type CastHandlers<State> = Record<string, (state: State, argument: never, server: Server) => unknown>;

/** The functions of a server. `State` is its own to mutate, and lives as long as the server. */
export interface GenServerOptions<State, Input, Calls, Casts, Info extends EventObject> {
  /** Makes the state. A throw fails the start. */
  init(input: Input, server: Server): State;
  /**
   * Answer requests, by name: what a handler returns is the reply; {@link noReply}, {@link stop} and {@link refuse} say
   * otherwise. A promise answers, or refuses, when it settles; the server goes on with other messages meanwhile. A throw
   * ends the server.
   */
  handleCall?: Calls & CallHandlers<State>;
  /** Take messages that nobody waits for, by name; may return {@link stop}. A throw or rejection ends the server. */
  handleCast?: Casts & CastHandlers<State>;
  /** Takes every other event; may return {@link stop}. @default events are ignored */
  handleInfo?(state: State, event: Info, server: Server): unknown;
  /**
   * Runs once when the server ends, whatever the reason, killed included (unlike OTP, where the VM closes what a killed
   * process held). When the server was asked to end or stopped by itself, a promise delays the end until it settles
   * or the shutdown time is over; nothing is served meanwhile.
   */
  terminate?(state: State, reason: ExitReason, server: Server): unknown;
  /** What inspectors see of the state, see {@link Status}. @default nothing */
  formatStatus?(state: State): Status;
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

/** A promise of the server's own has settled: a handler's, or that of `terminate`. */
interface SettledEvent {
  readonly type: "gen_server.settled" | "gen_server.terminated";
  readonly result?: unknown;
  readonly failure?: Error;
  readonly from?: From<unknown> | undefined;
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

  /** Does what a handler returned. `from`: who waits for it. */
  function settle(snapshot: Current, result: unknown, from: From<unknown> | undefined): Current {
    if (result instanceof Promise) {
      settleLater(snapshot.running.server.self, result, from);
      return snapshot;
    }
    if (from !== undefined) answer(from, result);
    return result instanceof Stop ? end(snapshot, result.reason) : snapshot;
  }

  function end(snapshot: Current, reason: ExitReason): Current {
    const pending = release(snapshot.running, reason);
    if (!(pending instanceof Promise)) return ended(snapshot);
    const { self } = snapshot.running.server;
    pending.then(
      () => self.send({ type: "gen_server.terminated" } satisfies SettledEvent),
      (error) => self.send({ type: "gen_server.terminated", failure: toError(error) } satisfies SettledEvent),
    );
    return snapshot;
  }

  function release(running: Running<State>, reason: ExitReason): unknown {
    running.ending = reason;
    for (const timer of running.timers) running.server.clock.clearTimeout(timer);
    running.timers.clear();
    return options.terminate?.(running.state, reason, running.server);
  }

  /** Terminates a server that ends here and now, for a reason that a late failure of `terminate` cannot change. */
  function releaseNow(running: Running<State>, reason: ExitReason): void {
    if (running.ending !== undefined) return;
    const pending = release(running, reason);
    if (pending instanceof Promise) pending.catch(() => undefined);
  }

  const logic = {
    isGraceful: true as const,
    behaviour: "gen_server" as const,
    config: options,
    formatStatus: ({ running }: Current) => options.formatStatus?.(running.state) ?? {},
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
        releaseNow(running, "killed");
        return { ...snapshot, status: "stopped" } as Current;
      }
      if (running.ending !== undefined) {
        // Nothing is served any more; callers are told when the end has come.
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
  if (result instanceof Refusal) from.fail(result.error);
  else if (!(result instanceof Stop)) from.settle(result);
  else if (result.replies.length > 0) from.settle(result.replies[0]);
}

/** A promise's result is taken in a turn of the server's own. One that fails fails its caller, else the server. */
function settleLater(self: AnyActorRef, promise: Promise<unknown>, from: From<unknown> | undefined): void {
  const settled = (event: SettledEvent) => {
    if (isAlive(self)) self.send(event);
  };
  promise.then(
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
