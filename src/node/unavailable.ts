import { type GenApiError, libraryError } from "../core/errors.ts";

/** The error of a call that a node could not run to its end, as clients see it. */
export function nodeUnavailable(cause: Error): GenApiError {
  return libraryError("unavailable", "Service temporarily unavailable", { canRetry: true, retryable: true, cause });
}

// Made once: when there is too much to do, refusing must be cheap.
const refusals = {
  down: nodeUnavailable(new Error("The node is not connected")),
  leaving: nodeUnavailable(new Error("The node takes no more calls")),
  full: nodeUnavailable(new Error("The node has as many calls as it may have")),
  congested: nodeUnavailable(new Error("What was sent to the node has not left yet, and is too much")),
};

/** The error of a call that was not sent, or not begun. */
export function notRun(reason: keyof typeof refusals): GenApiError {
  return refusals[reason];
}
