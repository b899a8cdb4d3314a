import { types } from "node:util";
import { maxValues } from "../../arguments/json-value.ts";
import { libraryError } from "../../core/errors.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { jsonLength } from "../../core/foreign/json-length.ts";

// One level more than arguments may have: deeper ones are refused with them.
const maxDepth = 33;

/** Left out, as JSON leaves it out. */
const absent = Symbol("absent");

/** Replaces a value that threw when it was read; refused because it is not JSON. */
class Unreadable {}

/**
 * Arguments of the host program as if they had come as JSON, by the rules of JSON.stringify: `undefined`, functions and
 * symbols are left out of maps and null in lists, NaN and Infinity are null, a value with a `toJSON` is its result, so
 * that a Date is an ISO text, and an object of a class is a map of its own fields. Returns the same object if nothing
 * changes.
 *
 * Values that JSON cannot hold (a BigInt, a cycle), or would lose silently (a Map, a Set, bytes, a promise), stay as
 * they are, so that the check of arguments refuses them by their path.
 *
 * @throws GenApiError `invalid_request` for more than {@link maxValues} values, nothing else
 */
export function hostArguments(args: unknown): unknown {
  // What lists share is found out at once. A `toJSON` may still make more of them.
  if (isLong(args)) throw tooMany();
  const around = new Around();
  const value = asJson(args, "", around);
  if (around.left < 0) throw tooMany();
  return value === absent ? undefined : value;
}

/** Whether its JSON would be longer than any text can be. */
function isLong(args: unknown): boolean {
  try {
    return jsonLength(args, 2 ** 29) === "long";
  } catch {
    // A part that cannot be read is refused by its path.
    return false;
  }
}

function tooMany(): Error {
  return libraryError("invalid_request", `args must have at most ${maxValues} values, got more`);
}

/** The lists and maps that contain a value. */
class Around extends Set<object> {
  /** How many more values may come: lists that contain each other have endlessly many. */
  left = maxValues;
}

function asJson(given: unknown, key: string, around: Around): unknown {
  if (--around.left < 0) return null;
  try {
    const value = converted(given, key);
    switch (typeof value) {
      case "number":
        return Number.isFinite(value) ? value : null;
      case "undefined":
      case "function":
      case "symbol":
        return absent;
      case "object":
        break;
      default:
        return value;
    }
    if (value === null || around.size === maxDepth || around.has(value)) return value;
    if (isOpaque(value)) {
      // Refused with the arguments, or dropped with them.
      hearPromises(value);
      return value;
    }
    if (types.isBoxedPrimitive(value)) return value.valueOf();
    around.add(value);
    const json = Array.isArray(value) ? listAsJson(value, around) : mapAsJson(value, around);
    around.delete(value);
    return json;
  } catch {
    return new Unreadable();
  }
}

/** The result of its own `toJSON`. */
function converted(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || isOpaque(value)) return value;
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === "function" ? toJSON.call(value, key) : value;
}

function listAsJson(list: readonly unknown[], around: Around): readonly unknown[] {
  if (list.length > around.left) around.left = -1;
  let copy: unknown[] | null = null;
  for (let index = 0; index < list.length && around.left >= 0; index++) {
    const item = list[index];
    const json = asJson(item, String(index), around);
    const read = json === absent ? null : json;
    if (!Object.is(read, item)) copy ??= [...list];
    if (copy !== null) copy[index] = read;
  }
  return copy ?? list;
}

function mapAsJson(map: object, around: Around): object {
  const prototype: unknown = Object.getPrototypeOf(map);
  let isSame = prototype === Object.prototype || prototype === null;
  const entries: (readonly [string, unknown])[] = [];
  for (const [key, part] of Object.entries(map)) {
    if (around.left < 0) break;
    const json = asJson(part, key, around);
    if (!Object.is(json, part)) isSame = false;
    if (json !== absent) entries.push([key, json]);
  }
  // Not by assignment: a key may be `__proto__`, which is refused later.
  return isSame ? map : Object.fromEntries(entries);
}

/** Whether JSON would hide its content. Buffers have a `toJSON`, whose result is never intended. */
function isOpaque(value: object): boolean {
  return (
    types.isMap(value) ||
    types.isSet(value) ||
    types.isArrayBufferView(value) ||
    types.isAnyArrayBuffer(value) ||
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value)
  );
}
