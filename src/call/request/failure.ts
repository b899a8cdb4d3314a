import { type ErrorCode, GenApiError } from "../../core/errors.ts";
import { internalMessage, unavailableMessage } from "../../core/failures.ts";
import { rateLimitMessage } from "../../policy/rate-limiter/rate-limit-decision.ts";

/** How a request failed, as its Response says. Every GenApiError is one; refusals are made without a stack trace. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly reason: string;
  readonly canRetry: boolean;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly cause?: unknown;
}

/** A failure of the library's own. It captures nothing: a flood of refused requests must stay cheap. */
export function refusal(code: ErrorCode, message: string, canRetry = false, retryAfterMs?: number): Failure {
  return { code, message, reason: code, canRetry, retryable: false, retryAfterMs };
}

/** A failure as hosts receive it. */
export function errorOfFailure({ code, reason, message, canRetry, retryable, cause }: Failure): GenApiError {
  return new GenApiError(reason, message, { code, canRetry, retryable, ...(cause === undefined ? {} : { cause }) });
}

const invalidRequestPrefix = "Invalid request: ";

/** An unreadable request; `problem` is also the text of the reply to its ref. */
export function invalidRequest(problem: string): Failure {
  return refusal("invalid_request", invalidRequestPrefix + problem);
}

/** The error text of a phx_reply, for failures that appear there too; null for all others. */
export function replyErrorOf(failure: Failure): string | null {
  switch (failure.code) {
    case "invalid_request":
      return failure.message.slice(invalidRequestPrefix.length);
    case "unauthenticated":
    case "invalid_argument":
      return failure.message;
    default:
      return null;
  }
}

/** Overload, no node, a dead thread, or shutting down. */
export const unavailable: Failure = refusal("unavailable", unavailableMessage, true);
/** Every attempt that a FunConfig's `retry` allows has failed. */
export const retryExhausted: Failure = refusal("retry_exhausted", "All retry attempts exhausted");
/** The Response to a repeated request was too large to be kept, or was a stream's. */
export const replayUnavailable: Failure = {
  ...refusal("failed", "The request was executed, and its Response is not kept"),
  reason: "replay_unavailable",
};
export const cancelled: Failure = refusal("cancelled", "Request cancelled", true);
export const permissionDenied: Failure = refusal("permission_denied", "Permission denied");
export const unauthenticated: Failure = refusal("unauthenticated", "Authentication required");

/** A failure that its client must not see; `cause` is for logs, and for the client with `detailError`. */
export function internal(cause: unknown): Failure {
  return { ...refusal("internal", internalMessage), cause };
}

/** A call or its attempt took too long, or its caller stopped waiting. */
export function timedOut(timeoutMs: number): Failure {
  return refusal("timeout", `Request timed out after ${timeoutMs} ms`, true);
}

/** Too many requests; a client that waits this long is let in. */
export function rateLimited(retryAfterMs: number): Failure {
  return refusal("rate_limited", rateLimitMessage(retryAfterMs), true, retryAfterMs);
}
