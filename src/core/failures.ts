import { type GenApiError, libraryError } from "./errors.ts";

/** What clients read of a call that could not run, or not to its end. */
export const unavailableMessage = "Service temporarily unavailable";

/** What clients read of a failure that they must not see. */
export const internalMessage = "Internal Server Error";

/** A call could not run, or not to its end: too much to do, a lost thread or node. `cause` is for logs. */
export function unavailableError(cause: Error): GenApiError {
  return libraryError("unavailable", unavailableMessage, { canRetry: true, cause });
}

/** Something failed that its client must not see. `cause` is for logs, and for the client with `detailError`. */
export function internalError(cause: Error): GenApiError {
  return libraryError("internal", internalMessage, { cause });
}
