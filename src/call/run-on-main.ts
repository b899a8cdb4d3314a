import { encodeResult } from "../core/encode-result.ts";
import { isGenApiError } from "../core/errors.ts";
import type { RequestIdentity, RequestInfo } from "../core/request-info.ts";
import type { Attempt, Executor } from "./attempt.ts";
import { type Failure, internal } from "./failure.ts";

/**
 * Runs functions with `runOn: "main"` on the gateway's own thread. Nothing can interrupt them: a timeout bounds only
 * the waiting, so they have to be quick or asynchronous.
 */
export const mainThread: Executor = {
  run(attempt) {
    const args = attempt.identity === null ? attempt.args : [...attempt.args, requestInfoOf(attempt, attempt.identity)];
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
  },

  cancel(attempt, reason) {
    attempt.abortController ??= new AbortController();
    attempt.abortController.abort(reason);
  },
};

/** What a function's throw is answered as: its own GenApiError as `failed`, anything else as `internal`. */
function failureOf(thrown: unknown): Failure {
  if (!isGenApiError(thrown)) return internal(thrown);
  const { message, reason, canRetry, retryable, cause } = thrown;
  return { code: "failed", message, reason, canRetry, retryable, retryAfterMs: undefined, cause };
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

/** The signal is made when the function first reads it: most never do. */
function requestInfoOf(attempt: Attempt, identity: RequestIdentity): RequestInfo {
  return {
    ...identity,
    get signal() {
      attempt.abortController ??= new AbortController();
      return attempt.abortController.signal;
    },
  };
}
