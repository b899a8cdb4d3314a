import { holds } from "../../core/argument.ts";
import { describe, libraryError, messageOf, toError } from "../../core/errors.ts";
import { shown } from "../../core/shown.ts";

/** What is wrong with a value: what is allowed, and what came. */
export class Fault {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Whether a check found a fault. Asks the value nothing: it may be a Proxy. */
  static is(value: unknown): value is Fault {
    return typeof value === "object" && value !== null && #text in value;
  }

  get text(): string {
    return this.#text;
  }
}

/**
 * Looks at a value that is not ours to trust, and never throws.
 *
 * @param got the value as messages show it
 * @returns what was read of it, once and for all; a {@link Fault} when it is wrong
 */
export type Check = (value: unknown, got?: string) => unknown;

/** A check that names what is allowed, and what came. */
export function must(expected: string, test: (value: unknown) => boolean): Check {
  return (value, got) => (holds(test, value) ? value : new Fault(`must be ${expected}, got ${got ?? shown(value)}`));
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

/** How long a child may take to end. */
export const shutdownTime = must(
  '"brutal_kill" or "infinity" or a number of milliseconds',
  (value) => value === "brutal_kill" || value === "infinity" || isMilliseconds(value),
);

/** A whole number of at least `min`. */
export function count(min: number): Check {
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= min;
  return must(`a whole number of at least ${min}`, isCount);
}

/** Yes or no. */
export const flag = must("true or false", (value) => typeof value === "boolean");

/** A function. */
export const fun = must("a function", (value) => typeof value === "function");

/** An object of functions. */
export const functions: Check = (value, got) => {
  const copy = copyOf(value);
  if (copy !== null && Object.values(copy).every((each) => typeof each === "function")) return copy;
  return new Fault(`must be an object of functions, got ${got ?? shown(value)}`);
};

/** A check, also of nothing. */
export function optional(check: Check): Check {
  return (value, got) => (value === undefined ? undefined : check(value, got));
}

/** Whatever it is. */
export const anything: Check = (value) => value;

/** Stands for what cannot be read; nothing but {@link anything} takes it. */
const unreadable = Symbol("unreadable");

/** An object with these fields and no others: what is read of it is a copy. */
export function fields(checks: Readonly<Record<string, Check>>): Check {
  const allowed = Object.keys(checks);
  const entries = Object.entries(checks);
  return (value, got) => {
    const keys = keysOf(value);
    if (typeof keys === "string") return new Fault(`must be a map, got ${got ?? keys}`);
    const copy: Record<string, unknown> = {};
    const faults: string[] = [];
    for (const [field, check] of entries) {
      const read = readField(value as object, field, check);
      if (Fault.is(read)) faults.push(`${field} ${read.text}`);
      else if (read !== undefined) copy[field] = read;
    }
    const unknown = keys.filter((key) => !allowed.includes(key));
    if (unknown.length > 0) faults.push(`has unknown fields: ${unknown.join(", ")} (allowed: ${allowed.join(", ")})`);
    return faults.length === 0 ? copy : new Fault(faults.join("; "));
  };
}

/**
 * Checks what a host gave.
 * @returns what was read of it
 * @throws GenApiError `invalid_option` that names every fault
 */
export function checkOptions<Given>(what: string, given: Given, check: Check): Given {
  const read = check(given);
  if (Fault.is(read)) throw libraryError("invalid_option", `${what}: ${read.text}`);
  return read as Given;
}

/**
 * The items of a list, read once, up to the first that is nothing: a list may claim to have billions. What came instead,
 * as messages show it, where it is no list.
 */
export function itemsOf(value: unknown): readonly unknown[] | string {
  try {
    if (!Array.isArray(value)) return describe(value);
    const items: unknown[] = [];
    for (let at = 0; at < value.length; at++) {
      items.push(value[at]);
      if (items[at] === undefined) break;
    }
    return items;
  } catch (thrown) {
    return cannotBeRead(value, thrown);
  }
}

function readField(value: object, field: string, check: Check): unknown {
  try {
    return check((value as Readonly<Record<string, unknown>>)[field]);
  } catch (thrown) {
    const got = `what cannot be read: ${messageOf(toError(thrown))}`;
    const read = check(unreadable, got);
    return Fault.is(read) ? read : new Fault(`must be readable, got ${got}`);
  }
}

/** Its own fields' names; what came instead, as messages show it, where it is no object or cannot be read. */
function keysOf(value: unknown): readonly string[] | string {
  try {
    return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : describe(value);
  } catch (thrown) {
    return cannotBeRead(value, thrown);
  }
}

function copyOf(value: unknown): object | null {
  try {
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function cannotBeRead(value: unknown, thrown: unknown): string {
  return `${describe(value)} that cannot be read: ${messageOf(toError(thrown))}`;
}

function isMilliseconds(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && Number.isFinite(value);
}
