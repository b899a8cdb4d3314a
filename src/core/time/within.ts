import { hearPromises } from "../foreign/hear-promises.ts";
import { settle } from "../foreign/thenable.ts";
import type { Clock } from "./clock.ts";

/**
 * Waits for a user's promise or thenable for a limited time; a later result is dropped.
 *
 * @param succeed makes the outcome of the resolved value; its throw is passed to `fail`
 * @param fail makes the outcome of a rejection, and of a promise that takes too long
 * @returns a promise that rejects only if `fail` throws
 */
export function within<Outcome>(
  promise: PromiseLike<unknown>,
  timeoutMs: number,
  clock: Clock,
  succeed: (value: unknown) => Outcome,
  fail: (thrown: unknown) => Outcome,
): Promise<Outcome> {
  return new Promise((resolve) => {
    let over = false;
    const finish = (outcome: () => Outcome) => {
      if (over) return;
      over = true;
      clock.clearTimeout(timer);
      resolve(outcome());
    };
    const timedOut = () => finish(() => fail(new Error(`timed out after ${timeoutMs} ms`)));
    const timer = clock.setTimeout(timedOut, timeoutMs);
    settle(
      promise,
      (value) => {
        hearPromises(value);
        finish(() => attempt(() => succeed(value), fail));
      },
      (thrown) => {
        hearPromises(thrown);
        finish(() => fail(thrown));
      },
    );
  });
}

/** Waits for a promise of our own for a limited time. Rejects as the promise does. */
export async function atMost(timeoutMs: number, promise: Promise<unknown>, clock: Clock): Promise<void> {
  let timer: unknown;
  const late = new Promise<void>((resolve) => {
    timer = clock.setTimeout(resolve, timeoutMs);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clock.clearTimeout(timer);
  }
}

function attempt<Outcome>(run: () => Outcome, fail: (thrown: unknown) => Outcome): Outcome {
  try {
    return run();
  } catch (thrown) {
    return fail(thrown);
  }
}
