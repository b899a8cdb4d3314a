import { libraryError } from "./errors.ts";
import { shown } from "./shown.ts";

/** Whether `test` says so of a value that is not ours to trust. One that cannot be read is not what is wanted. */
export function holds(test: (value: unknown) => boolean, value: unknown): boolean {
  try {
    return test(value);
  } catch {
    return false;
  }
}

/**
 * Refuses an argument of a function, unless `test` holds: `kill takes an Error as its reason, got 5`.
 * @throws GenApiError `invalid_request`
 */
export function mustTake(what: string, expected: string, value: unknown, test: (value: unknown) => boolean): void {
  if (!holds(test, value)) throw libraryError("invalid_request", `${what} takes ${expected}, got ${shown(value)}`);
}

/** A text, such as a name. */
export const isText = (value: unknown): boolean => typeof value === "string";

/** A function. */
export const isFunction = (value: unknown): boolean => typeof value === "function";
