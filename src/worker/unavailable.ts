import { type GenApiError, libraryError } from "../core/errors.ts";

const message = "Service temporarily unavailable";

// Made once: when there is too much to do, refusing must be cheap.
const refusals = {
  queue_full: refusal("The pool's queue is full"),
  circuit_open: refusal("The function keeps failing, its circuit is open"),
  draining: refusal("The pool takes no more calls"),
  closed: refusal("There is no pool at the moment"),
};

/** Why a pool refuses a call. */
export type Refusal = keyof typeof refusals;

/** The error of a call that was refused. */
export function refused(reason: Refusal): GenApiError {
  return refusals[reason];
}

/** The error of a call whose thread died. */
export function threadLost(cause: Error): GenApiError {
  return libraryError("unavailable", message, { canRetry: true, retryable: true, cause });
}

function refusal(why: string): GenApiError {
  return threadLost(new Error(why));
}
