import type { GenApiError } from "../../core/errors.ts";
import { unavailableError } from "../../core/failures.ts";

// Created once: refusing must be cheap when there is too much to do.
const refusals = {
  down: unavailableError(new Error("The node is not connected")),
  leaving: unavailableError(new Error("The node accepts no more calls")),
  full: unavailableError(new Error("The node has no room for another call")),
  congested: unavailableError(new Error("Too much data for the node has not left yet")),
};

/** The error of a call that was not sent, or not begun. */
export function notRun(reason: keyof typeof refusals): GenApiError {
  return refusals[reason];
}
