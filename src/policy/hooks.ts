import type { Clock } from "../core/clock.ts";
import { type GenApiError, libraryError, messageOf, toError } from "../core/errors.ts";
import type { ServiceFunction } from "../core/load-function.ts";
import { isThenable, within } from "../core/within.ts";
import type { TelemetryEvents } from "../telemetry/events.ts";
import { loopReleased, loopTaken, unwatched } from "../telemetry/main-loop.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";

/** A FunConfig's `beforeExecute` or `afterExecute`, loaded. It runs on the gateway's own thread. */
export interface Hook {
  /** "module.function", for telemetry. */
  readonly name: string;
  readonly run: ServiceFunction;
  /** Follow the standard arguments. */
  readonly args: readonly unknown[];
  /** How long its promise may take, milliseconds. A hook that returns none cannot be preempted, however long it runs. */
  readonly timeoutMs: number;
}

/** What running a hook needs of its surroundings. */
export interface HookContext {
  readonly clock: Clock;
  /** Whose hook it is; called only while somebody listens to the telemetry. */
  identify(): Omit<TelemetryEvents["hook.before.start"]["metadata"], "hook">;
}

/** Reads one thing that a hook returned: null where it is not usable. */
export type Accept<Value> = (value: unknown) => Value | null;

/** What a before hook may return: either or both changed. Whatever else it returns changes nothing. */
interface Changes<Request, FunConfig> {
  readonly request?: Request;
  readonly funConfig?: FunConfig;
}

/** With what the request goes on, or why it does not: `hook_rejected`. */
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
 * Calls `hook(request, funConfig, ...args)` before a request is executed. It may return {@link Changes}; it refuses the
 * request by throwing, and does so too when it takes too long. Its error's message reaches the client.
 *
 * @param accept reads what the hook changed; what it does not accept stays unchanged
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
 * another response; when it returns anything else, throws or takes too long, the response stands.
 *
 * @param accept makes an answer of the response that the hook returned
 * @param unchanged the answer while the response stands
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

/** What a client is told of a request that a before hook refused. */
function hookRejected(thrown: unknown): GenApiError {
  const error = toError(thrown);
  const reason = messageOf(error) || String(error.name);
  return libraryError("hook_rejected", `hook rejected: ${reason}`, { cause: thrown });
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
  const fail = (thrown: unknown): Outcome => {
    if (events.exception.active) events.exception.emit(duration(), { ...identify(), error: toError(thrown) });
    return failed(thrown);
  };
  const succeed = (value: unknown): Outcome => {
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
    return hook.run(...standardArgs, ...hook.args);
  } finally {
    if (since !== unwatched) loopReleased(since, { name: identify().gateway, clock }, "hook", hook.name);
  }
}
