import { types } from "node:util";
import { builtIns } from "./built-ins.ts";
import { hearPromise, hearPromises } from "./hear-promises.ts";

const { apply, getPrototypeOf, hasOwn, runInMicrotask } = builtIns;
const { isNativeError, isPromise } = types;
const promisePrototype = Promise.prototype;

// `await` would follow a thenable that resolves with itself forever, without a turn of the event loop.
const maxHops = 100;

type Then = (this: unknown, resolve: (value: unknown) => void, reject: (thrown: unknown) => void) => unknown;

/**
 * Whether `await` would wait for `value`: a promise, or an object or function with a method `then`. Never throws: an
 * unreadable `then` counts, because `await` rejects with the error of reading it.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  try {
    return typeof (value as { then?: unknown }).then === "function";
  } catch {
    return true;
  }
}

/**
 * Waits for a user's value as `await` does, and calls one of the two once, in a later microtask; neither if the value
 * never settles. Follows at most 100 thenables that resolve with thenables, and then rejects. The value passes through
 * no promise of our own, which would call its `then` again.
 *
 * @param fulfilled receives the value; an error that it throws goes to `rejected`
 * @param rejected receives the reason; must not throw
 */
export function settle(value: unknown, fulfilled: (value: unknown) => void, rejected: (thrown: unknown) => void): void {
  follow(value, 0, fulfilled, rejected);
}

/** Waits for a user's value only to handle its rejection, which would otherwise end the process. */
export function whenRejected(value: unknown, rejected: (thrown: unknown) => void = hearPromises): void {
  follow(value, 0, hearPromises, rejected);
}

function follow(
  value: unknown,
  hops: number,
  fulfilled: (value: unknown) => void,
  rejected: (thrown: unknown) => void,
): void {
  if (isOwnPromise(value)) {
    void settlePromise(value, fulfilled, rejected);
    return;
  }
  // Its `then` may be user code, or throw, and leave the promise itself unhandled.
  if (isPromise(value)) hearPromise(value);
  runInMicrotask(() => {
    let isSettled = false;
    const reject = (thrown: unknown): void => {
      if (isSettled) return;
      isSettled = true;
      runInMicrotask(() => finish(rejected, thrown, rejected));
    };
    const resolve = (next: unknown): void => {
      if (isSettled) return;
      if (hops === maxHops) {
        reject(new TypeError(`A thenable resolved with another one more than ${maxHops} times`));
        return;
      }
      isSettled = true;
      follow(next, hops + 1, fulfilled, rejected);
    };
    try {
      const then = thenOf(value);
      if (then === null) {
        finish(fulfilled, value, rejected);
        return;
      }
      const returned = apply(then, value, [resolve, reject]);
      // An async `then` reports its own throw only in this way.
      if (isOwnPromise(returned)) void settlePromise(returned, hearPromises, reject);
    } catch (thrown) {
      reject(thrown);
    }
  });
}

/** A promise of this realm and of no subclass: `await` looks only at its state and calls no user code. */
function isOwnPromise(value: unknown): value is Promise<unknown> {
  return isPromise(value) && getPrototypeOf(value) === promisePrototype && !hasOwn(value, "constructor");
}

async function settlePromise(
  promise: Promise<unknown>,
  fulfilled: (value: unknown) => void,
  rejected: (thrown: unknown) => void,
): Promise<void> {
  let value: unknown;
  try {
    value = await promise;
  } catch (thrown) {
    finish(rejected, thrown, rejected);
    return;
  }
  finish(fulfilled, value, rejected);
}

function thenOf(value: unknown): Then | null {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return null;
  const { then } = value as { then?: unknown };
  return typeof then === "function" ? (then as Then) : null;
}

/** An error in one of the two is ours: it must end neither the process nor the user's `then`. */
function finish(run: (value: unknown) => void, value: unknown, rejected: (thrown: unknown) => void): void {
  try {
    run(value);
  } catch (thrown) {
    if (run === rejected)
      process.emitWarning(isNativeError(thrown) ? thrown : new Error("No Error was thrown", { cause: thrown }));
    else finish(rejected, thrown, rejected);
  }
}
