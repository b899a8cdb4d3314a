import type { ErrorCode } from "../core/errors.ts";
import { rateLimitMessage } from "../policy/rate-limit-decision.ts";

/** How a request failed, as its Response tells it. Every GenApiError is one; refusals are made without a stack trace. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly reason: string;
  readonly canRetry: boolean;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly cause?: unknown;
}

/** A failure of the library's own. Nothing is captured: a flood of refused requests must stay cheap. */
export function refusal(code: ErrorCode, message: string, canRetry = false, retryAfterMs?: number): Failure {
  return { code, message, reason: code, canRetry, retryable: canRetry, retryAfterMs };
}

const invalidRequestPrefix = "Invalid request: ";

/** A request that cannot be read; `problem` is also what the reply to its ref says. */
export function invalidRequest(problem: string): Failure {
  return refusal("invalid_request", invalidRequestPrefix + problem);
}

/** The error text of a phx_reply, for the failures that are told there too; null for all others. */
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

/** Too much to do, no node, a dead thread, or shutting down. */
export const unavailable: Failure = refusal("unavailable", "Service temporarily unavailable", true);
/** Every attempt that a FunConfig's `retry` allows has failed. */
export const retryExhausted: Failure = refusal("retry_exhausted", "All retry attempts exhausted");
export const cancelled: Failure = refusal("cancelled", "Request cancelled", true);
export const permissionDenied: Failure = refusal("permission_denied", "Permission denied");
export const unauthenticated: Failure = refusal("unauthenticated", "Authentication required");

/** Something failed that its client must not see; `cause` is for logs, and for the client with `detailError`. */
export function internal(cause: unknown): Failure {
  return { ...refusal("internal", "Internal Server Error"), cause };
}

/** Too many requests; one who waits that long is let in. */
export function rateLimited(retryAfterMs: number): Failure {
  return refusal("rate_limited", rateLimitMessage(retryAfterMs), true, retryAfterMs);
}
