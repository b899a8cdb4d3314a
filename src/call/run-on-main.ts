import { encodeResult } from "../core/encode-result.ts";
import { toError } from "../core/errors.ts";
import { LiveRequestInfo } from "../core/live-request-info.ts";
import { errorOf, thrownData } from "../worker/thrown-data.ts";
import type { Attempt, Executor, RunningTask } from "./attempt.ts";
import { type Failure, internal } from "./failure.ts";

/**
 * Runs functions with `runOn: "main"` on the gateway's own thread. Nothing can interrupt them: a timeout bounds only
 * the waiting, so they have to be quick or asynchronous.
 */
export const mainThread: Executor = {
  run(attempt) {
    const { identity } = attempt;
    if (identity === null) {
      apply(attempt, attempt.args);
      return uninterruptible;
    }
    const info = new LiveRequestInfo(identity);
    apply(attempt, [...attempt.args, info]);
    return { cancel: (reason) => LiveRequestInfo.abort(info, reason) };
  },
};

/** Functions without a RequestInfo have no signal: there is nothing that could tell them. */
const uninterruptible: RunningTask = { cancel: () => undefined };

function apply(attempt: Attempt, args: readonly unknown[]): void {
  let result: unknown;
  try {
    result = attempt.main?.(...args);
    // Inside the try: `then` may be a getter or a method of the user's that throws.
    if (isThenable(result)) {
      result.then(
        (value) => succeed(attempt, value),
        (thrown) => attempt.failed(failureOf(thrown)),
      );
      return;
    }
  } catch (thrown) {
    attempt.failed(failureOf(thrown));
    return;
  }
  succeed(attempt, result);
}

/** What a function's throw is answered as: its own GenApiError as `failed`, anything else as `internal`. */
function failureOf(thrown: unknown): Failure {
  const data = thrownData(thrown);
  // The error itself, not a copy of it, is what logs want to see.
  return data.kind === "failed" ? errorOf(data) : internal(toError(thrown));
}

function succeed(attempt: Attempt, value: unknown): void {
  let json: string;
  try {
    json = encodeResult(value, attempt.maxResultBytes);
  } catch (thrown) {
    attempt.failed(internal(thrown));
    return;
  }
  attempt.succeeded(json);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as PromiseLike<unknown>).then === "function";
}
