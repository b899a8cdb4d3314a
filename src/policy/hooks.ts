import { type GenApiError, libraryError, toError } from "../core/errors.ts";
import { hearPromises } from "../core/foreign/hear-promises.ts";
import { callInOwnContext } from "../core/foreign/own-context.ts";
import { isThenable } from "../core/foreign/thenable.ts";
import type { Clock } from "../core/time/clock.ts";
import { within } from "../core/time/within.ts";
import type { LoadedFunction } from "../execution/load-function.ts";
import type { TelemetryEvents } from "../telemetry/events.ts";
import { loopReleased, loopTaken, unwatched } from "../telemetry/main-loop.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";

/** A FunConfig's `beforeExecute` or `afterExecute`, loaded. It runs on the gateway's own thread. */
export interface Hook {
  /** "module.function", for telemetry. */
  readonly name: string;
  readonly loaded: LoadedFunction;
  /** Arguments after the standard ones. */
  readonly args: readonly unknown[];
  /** Time limit of its promise, milliseconds. A synchronous hook cannot be interrupted, however long it runs. */
  readonly timeoutMs: number;
}

/** What running a hook needs from its caller. */
export interface HookContext {
  readonly clock: Clock;
  /** The request of the hook; called only while telemetry has listeners. */
  identify(): Omit<TelemetryEvents["hook.before.start"]["metadata"], "hook">;
}

/** Reads a value that a hook returned: null if it is not usable. */
export type Accept<Value> = (value: unknown) => Value | null;

/** The possible result of a before hook: either or both changed. Any other result changes nothing. */
interface Changes<Request, FunConfig> {
  readonly request?: Request;
  readonly funConfig?: FunConfig;
}

/** What the request continues with, or why it is refused: `hook_rejected`. */
export type BeforeOutcome<Request, FunConfig> =
  | { readonly request: Request; readonly funConfig: FunConfig }
  | GenApiError;

const before = {
  start: telemetryEvent("hook.before.start"),
  stop: telemetryEvent("hook.before.stop"),
  exception: telemetryEvent("hook.before.exception"),
};

const after = {
  start: telemetryEvent("hook.after.start"),
  stop: telemetryEvent("hook.after.stop"),
  exception: telemetryEvent("hook.after.exception"),
};

/**
 * Calls `hook(request, funConfig, ...args)` before a request is executed. It may return {@link Changes}; throwing, or
 * taking too long, refuses the request. The message of its error reaches the client.
 *
 * @param accept reads the hook's changes; unaccepted ones have no effect
 * @returns a promise, which never rejects, only if the hook returned one
 */
export function runBeforeHook<Request, FunConfig>(
  hook: Hook,
  request: Request,
  funConfig: FunConfig,
  accept: { readonly request: Accept<Request>; readonly funConfig: Accept<FunConfig> },
  context: HookContext,
): BeforeOutcome<Request, FunConfig> | Promise<BeforeOutcome<Request, FunConfig>> {
  const returned = (value: unknown): BeforeOutcome<Request, FunConfig> => {
    if (typeof value !== "object" || value === null) return { request, funConfig };
    const changes = value as Changes<unknown, unknown>;
    return {
      request: accept.request(changes.request) ?? request,
      funConfig: accept.funConfig(changes.funConfig) ?? funConfig,
    };
  };
  return run<BeforeOutcome<Request, FunConfig>>(hook, [request, funConfig], before, context, returned, hookRejected);
}

/**
 * Calls `hook(request, funConfig, response, ...args)` after a request was executed, refused or failed. It may return
 * another response; if it returns anything else, throws or takes too long, the response stays.
 *
 * @param accept makes the answer from the response that the hook returned
 * @param unchanged the answer if the response stays
 * @returns the answer; a promise, which never rejects, only if the hook returned one
 */
export function runAfterHook<Answer>(
  hook: Hook,
  request: unknown,
  funConfig: unknown,
  response: unknown,
  accept: Accept<Answer>,
  unchanged: Answer,
  context: HookContext,
): Answer | Promise<Answer> {
  const returned = (value: unknown) => accept(value) ?? unchanged;
  return run(hook, [request, funConfig, response], after, context, returned, () => unchanged);
}

/** The error for a client whose request a before hook refused. */
function hookRejected(thrown: unknown): GenApiError {
  const error = toError(thrown);
  return libraryError("hook_rejected", `hook rejected: ${error.message || error.name}`, { cause: error });
}

function run<Outcome>(
  hook: Hook,
  standardArgs: readonly unknown[],
  events: typeof before | typeof after,
  context: HookContext,
  returned: (value: unknown) => Outcome,
  failed: (thrown: unknown) => Outcome,
): Outcome | Promise<Outcome> {
  const { clock } = context;
  const startedAt = clock.now();
  const duration = () => ({ duration_us: Math.round((clock.now() - startedAt) * 1_000) });
  const identify = () => ({ ...context.identify(), hook: hook.name });
  const hear = (value: unknown): void => {
    hearPromises(value);
    // The hook may have changed the request it received.
    hearPromises(standardArgs[0]);
  };
  const fail = (thrown: unknown): Outcome => {
    hear(thrown);
    if (events.exception.active) events.exception.emit(duration(), { ...identify(), error: toError(thrown) });
    return failed(thrown);
  };
  const succeed = (value: unknown): Outcome => {
    hear(value);
    const outcome = returned(value);
    if (events.stop.active) events.stop.emit(duration(), identify());
    return outcome;
  };
  if (events.start.active) events.start.emit({ system_time: clock.systemTime() }, identify());
  try {
    const value = call(hook, standardArgs, context);
    return isThenable(value) ? within(value, hook.timeoutMs, clock, succeed, fail) : succeed(value);
  } catch (thrown) {
    return fail(thrown);
  }
}

function call(hook: Hook, standardArgs: readonly unknown[], { clock, identify }: HookContext): unknown {
  const since = loopTaken(clock);
  try {
    return callInOwnContext(hook.loaded.run, [...standardArgs, ...hook.args]);
  } finally {
    if (since !== unwatched) loopReleased(since, { name: identify().gateway, clock }, "hook", hook.name);
  }
}
