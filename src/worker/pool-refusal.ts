import { type GenApiError, libraryError } from "../core/errors.ts";
import { unavailableError } from "../core/failures.ts";

// Created once: refusing must be cheap when there is too much to do.
const refusals = {
  queue_full: refusal("The pool's queue is full"),
  circuit_open: refusal("The function keeps failing, its circuit is open"),
  draining: refusal("The pool accepts no more calls"),
  closed: refusal("The pool is not open"),
};

/** Why a pool refuses a call. */
export type PoolRefusal = keyof typeof refusals;

/** The error of a refused call. */
export function poolRefused(reason: PoolRefusal): GenApiError {
  return refusals[reason];
}

/** The error of a reload while the pool does not run, or stops. */
export function poolNotRunning(pool: string): GenApiError {
  return libraryError("unavailable", `The pool ${pool} is not running`, { canRetry: true });
}

/** The error of a reload that would leave one more version of the code running beside the new one. */
export function tooManyVersions(
  pool: string,
  { versions, count }: { readonly versions: number; readonly count: number },
) {
  const running = `${count} threads of ${versions} earlier versions of the code still run calls or streams`;
  const advice = "reload when some of them have ended, or with force, which ends those of the earliest version";
  return libraryError("unavailable", `${pool}: ${running}, at most ${versions} versions may: ${advice}`, {
    canRetry: true,
  });
}

function refusal(why: string): GenApiError {
  return unavailableError(new Error(why));
}
