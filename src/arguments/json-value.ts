import { describe } from "../core/errors.ts";
import { isForbiddenKey } from "./arg-types.ts";
import { Fault } from "./fault.ts";

/** The most nested lists and maps, including the argument itself. */
const maxDepth = 32;

/**
 * Whether `value` is a map as JSON makes them: an object, but not a list or an instance of a class. Checking the
 * prototype's prototype accepts objects of another realm.
 */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * Checks that `value` contains only JSON values, no forbidden key and no number beyond a double's range, in at most 32
 * nested lists and maps. It looks no deeper than that, whatever is sent.
 *
 * @param around how many lists and maps of the argument contain the value
 */
export function checkJson(value: unknown, around: number): Fault | null {
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
