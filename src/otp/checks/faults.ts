import { describe, libraryError } from "../../core/errors.ts";
import { shown } from "../../core/shown.ts";

/** What is wrong with one field: null when nothing is. */
export type Check = (value: unknown) => string | null;

/** A check that names what is allowed, and what came. */
export function must(expected: string, holds: (value: unknown) => boolean): Check {
  return (value) => (holds(value) ? null : `must be ${expected}, got ${shown(value)}`);
}

/** One of these words. */
export function oneOf(...words: readonly string[]): Check {
  const last = words.at(-1);
  const others = words.slice(0, -1).map((word) => JSON.stringify(word));
  return must(`${others.join(", ")} or ${JSON.stringify(last)}`, (value) => words.some((word) => word === value));
}

/** A text that is not empty. */
export const text = must("a non-empty string", (value) => typeof value === "string" && value !== "");

/** A number of milliseconds. */
export const milliseconds = must("a number of milliseconds of at least 0", isMilliseconds);

/** A number of milliseconds, or no end. */
export const millisecondsOrInfinity = must(
  'a number of milliseconds of at least 0 or "infinity"',
  (value) => value === "infinity" || isMilliseconds(value),
);

/** A whole number of at least `min`. */
export function count(min: number): Check {
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= min;
  return must(`a whole number of at least ${min}`, isCount);
}

/** A function. */
export const fun = must("a function", (value) => typeof value === "function");

/** An object of functions. */
export const functions = must("an object of functions", (value) => {
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).every((each) => typeof each === "function");
});

/** A check, also of nothing. */
export function optional(check: Check): Check {
  return (value) => (value === undefined ? null : check(value));
}

/** Whatever it is. */
export const anything: Check = () => null;

/** An object with these fields and no others. */
export function fields(checks: Readonly<Record<string, Check>>): Check {
  const allowed = Object.keys(checks);
  const entries = Object.entries(checks);
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return `must be a map, got ${describe(value)}`;
    const faults: string[] = [];
    for (const [field, check] of entries) {
      const fault = check((value as Readonly<Record<string, unknown>>)[field]);
      if (fault !== null) faults.push(`${field} ${fault}`);
    }
    const unknown = Object.keys(value).filter((field) => !allowed.includes(field));
    if (unknown.length > 0) faults.push(`has unknown fields: ${unknown.join(", ")} (allowed: ${allowed.join(", ")})`);
    return faults.length === 0 ? null : faults.join("; ");
  };
}

/**
 * Checks what a host gave.
 * @throws GenApiError `invalid_option` that names every fault
 */
export function checkOptions(what: string, given: unknown, check: Check): void {
  const fault = check(given);
  if (fault !== null) throw libraryError("invalid_option", `${what}: ${fault}`);
}

function isMilliseconds(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && Number.isFinite(value);
}
