import { describe } from "../core/errors.ts";
import { isForbiddenKey } from "./arg-types.ts";
import { Fault } from "./fault.ts";

/** The most nested lists and maps, including the argument itself. */
const maxDepth = 32;

/**
 * The most values in all arguments of a request, each counted as often as it is found: twice as many as a client's
 * message of the largest default size can hold. Lists that a host gives can contain each other, and then have more than
 * can be counted.
 */
export const maxValues = 1_000_000;

/**
 * Whether `value` is a map as JSON makes them: an object, but not a list or an instance of a class. Checking the
 * prototype's prototype accepts objects of another realm.
 */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** How many values may follow in the checks under way. */
let left = 0;

/** The next calls of {@link checkJson} together accept {@link maxValues} values. */
export function beginChecks(): void {
  left = maxValues;
}

/**
 * Checks that `value` contains only JSON values, no forbidden key and no number beyond a double's range, in at most 32
 * nested lists and maps, and no more of them than {@link beginChecks} allowed. It looks at no more than that, whatever
 * is sent.
 *
 * @param around how many lists and maps of the argument contain the value
 */
export function checkJson(value: unknown, around: number): Fault | null {
  if (--left < 0) return new Fault(`at most ${maxValues} values in all`, "more");
  switch (typeof value) {
    case "string":
    case "boolean":
      return null;
    case "number":
      return Number.isFinite(value) ? null : outOfRange();
    case "object":
      if (value === null) return null;
      if (around >= maxDepth) return new Fault(`at most ${maxDepth} lists and maps within each other`, "more");
      if (Array.isArray(value)) return checkItems(value, around + 1);
      if (isPlainObject(value)) return checkEntries(value, around + 1);
  }
  return new Fault("JSON value", describe(value));
}

function checkItems(list: unknown[], around: number): Fault | null {
  for (let index = 0; index < list.length; index++) {
    const fault = checkJson(list[index], around);
    if (fault !== null) return fault.atIndex(index);
  }
  return null;
}

function checkEntries(map: Record<string, unknown>, around: number): Fault | null {
  for (const key in map) {
    if (isForbiddenKey(key)) return forbiddenKey(key);
    const fault = checkJson(map[key], around);
    if (fault !== null) return fault.atKey(key);
  }
  return null;
}

/** The fault of a map with a key that could reach its prototype. */
export function forbiddenKey(key: string): Fault {
  return new Fault(`map without the key "${key}"`, "map with it");
}

/** The fault of a number that a double cannot hold: JSON's 1e400 arrives as Infinity. */
export function outOfRange(): Fault {
  return new Fault("finite number", "number out of range");
}

/** A description of the value if its type alone would not say enough: a string of the wrong form. */
export function cameAs(value: unknown): string {
  return typeof value === "string" ? `string of ${value.length} characters` : describe(value);
}
