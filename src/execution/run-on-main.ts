import { type GenApiError, toError } from "../core/errors.ts";
import { internalError } from "../core/failures.ts";
import { ownContext } from "../core/foreign/own-context.ts";
import { isThenable, settle } from "../core/foreign/thenable.ts";
import { loopReleased, loopTaken, type Program } from "../telemetry/main-loop.ts";
import { encodeResult } from "./encode-result.ts";
import { LiveRequestInfo } from "./live-request-info.ts";
import type { ServiceFunction } from "./load-function.ts";
import { errorOf, thrownData } from "./thrown-data.ts";
import type { RunningTask, WorkerCall } from "./worker-call.ts";

/** The part of a call that running on the main thread needs, and its callbacks. */
export type MainCall = Pick<
  WorkerCall,
  "service" | "requestType" | "args" | "identity" | "maxResultBytes" | "carry" | "succeeded" | "failed"
>;

/**
 * Runs a function on this thread. Nothing can interrupt it: a timeout bounds only the waiting, so it has to be quick or
 * asynchronous. A cancelled call may still be notified of its end.
 */
export function runOnMain(run: ServiceFunction | null, call: MainCall, program: Program): RunningTask {
  const { identity } = call;
  if (identity === null) {
    ownContext().runInAsyncScope(apply, undefined, run, call, call.args, null, program);
    return uninterruptible;
  }
  const info = new LiveRequestInfo(identity, call);
  ownContext().runInAsyncScope(apply, undefined, run, call, [...call.args, info], info, program);
  return { cancel: (reason) => LiveRequestInfo.abort(info, reason) };
}

/** For functions without a RequestInfo: they have no signal, so nothing can notify them. */
const uninterruptible: RunningTask = { cancel: () => undefined };

function apply(
  run: ServiceFunction | null,
  call: MainCall,
  args: readonly unknown[],
  info: LiveRequestInfo | null,
  program: Program,
): void {
  let result: unknown;
  try {
    const since = loopTaken(program.clock);
    try {
      result = run?.(...args);
    } finally {
      loopReleased(since, program, "function", call);
    }
  } catch (thrown) {
    fail(call, thrown, info);
    return;
  }
  if (!isThenable(result)) {
    succeed(call, result, info);
    return;
  }
  settle(
    result,
    (value) => succeed(call, value, info),
    (thrown) => fail(call, thrown, info),
  );
}

/** The answer to a function's throw: its own GenApiError as `failed`, anything unexpected as `internal`. */
function errorIn(thrown: unknown): GenApiError {
  const data = thrownData(thrown);
  // Logs want the error itself, not a copy.
  return data.kind === "internal" ? internalError(toError(thrown)) : errorOf(data);
}

function fail(call: MainCall, thrown: unknown, info: LiveRequestInfo | null): void {
  if (info !== null) LiveRequestInfo.end(info);
  call.failed(errorIn(thrown), true);
}

function succeed(call: MainCall, value: unknown, info: LiveRequestInfo | null): void {
  if (info !== null) LiveRequestInfo.end(info);
  let json: string;
  try {
    json = encodeResult(value, call.maxResultBytes);
  } catch (thrown) {
    call.failed(internalError(toError(thrown)), true);
    return;
  }
  call.succeeded(json);
}
