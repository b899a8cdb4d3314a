import type { Clock } from "./clock.ts";

/**
 * Waits for a promise of the user's, but no longer than this; what it comes to later is dropped.
 *
 * @param succeed makes the outcome of what it resolved with; its throw is an outcome of `fail`
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
    const settle = (outcome: () => Outcome) => {
      if (over) return;
      over = true;
      clock.clearTimeout(timer);
      resolve(outcome());
    };
    const timedOut = () => settle(() => fail(new Error(`timed out after ${timeoutMs} ms`)));
    const timer = clock.setTimeout(timedOut, timeoutMs);
    Promise.resolve(promise).then(
      (value) => settle(() => attempt(() => succeed(value), fail)),
      (thrown: unknown) => settle(() => fail(thrown)),
    );
  });
}

/** Waits for a promise of our own, but no longer than this. Rejects as it does. */
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

/**
 * Whether `value` can be waited for, as `await` sees it: a Proxy need not own up to its `then`. Throws what a `then` of
 * the user's throws when it is looked at.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
