import { beginChecks, checkJson, isPlainObject } from "../../arguments/json-value.ts";
import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import type { Claims } from "../../core/request-info.ts";

/** The most bytes of JSON in the claims of a caller. They travel with each call of a function that asks who calls. */
export const maxClaimsBytes = 8 * 1_024;

const atMost = `at most ${maxClaimsBytes} bytes of JSON`;

/** The claims of callers without any: one object for all of them. */
export const noClaims: Claims = Object.freeze({});

/**
 * A frozen copy of the claims that a host gave, whose every field is read once, here. As in JSON, an undefined field
 * counts as left out.
 *
 * @param name where they were given, for the message
 * @throws GenApiError `invalid_option` for anything but a plain object of JSON values of at most {@link maxClaimsBytes};
 *   or the error that the object throws when it is read
 */
export function readClaims(given: unknown, name: string): Claims {
  if (given === undefined || given === null) return noClaims;
  try {
    return copyOf(given, name);
  } catch (thrown) {
    // What is refused is dropped, with every promise in it.
    hearPromises(given);
    throw thrown;
  }
}

function copyOf(given: unknown, name: string): Claims {
  if (!isPlainObject(given)) throw wrong(name, "a plain object", shown(given));
  const claims = new FrozenCopy(name).of(given, 0) as Claims;
  beginChecks();
  const fault = checkJson(claims, 0);
  if (fault !== null) throw wrong(name + fault.path, `a ${fault.expected}`, fault.came);
  return bounded(claims, name);
}

/**
 * The claims of a connection and those that a channel's `join` added; where both have a name, the channel's holds.
 *
 * @throws GenApiError `invalid_option` if they have more than {@link maxClaimsBytes} together
 */
export function addClaims(connection: Claims, channel: Claims): Claims {
  if (channel === noClaims) return connection;
  if (connection === noClaims) return channel;
  return bounded(Object.freeze({ ...connection, ...channel }), "the claims of connect and join together");
}

function bounded(claims: Claims, name: string): Claims {
  const bytes = Buffer.byteLength(JSON.stringify(claims));
  if (bytes > maxClaimsBytes) throw wrong(name, atMost, `${bytes}`);
  return claims;
}

// Deeper values are refused.
const maxDepth = 33;

// Each value takes at least one byte of JSON.
const maxValues = maxClaimsBytes;

/**
 * A copy of lists and plain objects; any other object stays as it is, and is refused. It reads no more than could fit:
 * objects that refer to each other, such as parents and children, would otherwise become endlessly many.
 */
class FrozenCopy {
  readonly #name: string;
  #values = 0;

  constructor(name: string) {
    this.#name = name;
  }

  of(value: unknown, depth: number): unknown {
    if (depth === maxDepth) return value;
    if (Array.isArray(value)) {
      this.#count(value.length);
      return Object.freeze(value.map((item) => this.of(item, depth + 1)));
    }
    if (!isPlainObject(value)) return value;
    const entries = Object.entries(value).filter(([, part]) => part !== undefined);
    this.#count(entries.length);
    return Object.freeze(Object.fromEntries(entries.map(([key, part]) => [key, this.of(part, depth + 1)])));
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > maxValues) throw wrong(this.#name, atMost, `more than ${maxValues} values`);
  }
}

function wrong(name: string, allowed: string, came: string) {
  return libraryError("invalid_option", `${name} must be ${allowed}, got ${came}`);
}
