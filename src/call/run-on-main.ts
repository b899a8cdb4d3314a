import { encodeResult } from "../core/encode-result.ts";
import { type GenApiError, toError } from "../core/errors.ts";
import { LiveRequestInfo } from "../core/live-request-info.ts";
import type { ServiceFunction } from "../core/load-function.ts";
import { isThenable } from "../core/within.ts";
import { loopReleased, loopTaken, type Program } from "../telemetry/main-loop.ts";
import { errorOf, internalError, thrownData } from "../worker/thrown-data.ts";
import type { RunningTask, WorkerCall } from "../worker/worker-call.ts";
import type { Executor } from "./attempt.ts";

/** What of a call a function of the main thread is run with, and who hears of its end. */
export type MainCall = Pick<
  WorkerCall,
  "service" | "requestType" | "args" | "identity" | "maxResultBytes" | "succeeded" | "failed"
>;

/** Runs a gateway's functions with `runOn: "main"`. */
export function mainThread(gateway: Program): Executor {
  return { run: (attempt) => runOnMain(attempt.main, attempt, gateway) };
}

/**
 * Runs a function on this thread. Nothing can interrupt it: a timeout bounds only the waiting, so it has to be quick or
 * asynchronous. Once the call was cancelled it may still be told how it ended.
 */
export function runOnMain(run: ServiceFunction | null, call: MainCall, program: Program): RunningTask {
  const { identity } = call;
  if (identity === null) {
    apply(run, call, call.args, program);
    return uninterruptible;
  }
  const info = new LiveRequestInfo(identity);
  apply(run, call, [...call.args, info], program);
  return { cancel: (reason) => LiveRequestInfo.abort(info, reason) };
}

/** Functions without a RequestInfo have no signal: there is nothing that could tell them. */
const uninterruptible: RunningTask = { cancel: () => undefined };

function apply(run: ServiceFunction | null, call: MainCall, args: readonly unknown[], program: Program): void {
  let result: unknown;
  try {
    const since = loopTaken(program.clock);
    try {
      result = run?.(...args);
    } finally {
      loopReleased(since, program, "function", call);
    }
    // Inside the try: `then` may be a getter or a method of the user's that throws.
    if (isThenable(result)) {
      result.then(
        (value) => succeed(call, value),
        (thrown) => call.failed(errorIn(thrown), true),
      );
      return;
    }
  } catch (thrown) {
    call.failed(errorIn(thrown), true);
    return;
  }
  succeed(call, result);
}

/** What a function's throw is answered as: its own GenApiError as `failed`, anything else as `internal`. */
function errorIn(thrown: unknown): GenApiError {
  const data = thrownData(thrown);
  // The error itself, not a copy of it, is what logs want to see.
  return data.kind === "failed" ? errorOf(data) : internalError(toError(thrown));
}

function succeed(call: MainCall, value: unknown): void {
  let json: string;
  try {
    json = encodeResult(value, call.maxResultBytes);
  } catch (thrown) {
    call.failed(internalError(toError(thrown)), true);
    return;
  }
  call.succeeded(json);
}
