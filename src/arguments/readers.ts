import { describe } from "../core/errors.ts";
import { type CheckedArgOptions, defaultMaxBytes, defaultMaxItems, isForbiddenKey } from "./arg-types.ts";
import { parseDatetime, parseNaiveDatetime } from "./datetime.ts";
import { Fault, quoted } from "./fault.ts";
import { cameAs, checkJson, forbiddenKey, isPlainObject, outOfRange } from "./json-value.ts";

/** Reads a client's value for one argument: returns the value to pass on, or the {@link Fault} that refuses it. */
export type Reader = (value: unknown) => unknown;

/** The reader of one declaration, created once when its FunConfig is registered. */
export function readerOf(options: CheckedArgOptions): Reader {
  const read = typeReader(options);
  return options.allowNil === true ? (value) => (value === null ? null : read(value)) : read;
}

function typeReader(options: CheckedArgOptions): Reader {
  const maxItems = options.maxItems ?? defaultMaxItems;
  switch (options.type) {
    case "string":
      return stringReader(options.maxBytes ?? defaultMaxBytes);
    case "num":
      return readNum;
    case "boolean":
      return readBoolean;
    case "uuid":
      return readUuid;
    case "datetime":
      return readDatetime;
    case "naive_datetime":
      return readNaiveDatetime;
    case "list":
      return listReader(maxItems, readItem);
    case "list_string":
      return listReader(maxItems, stringReader(options.maxItemBytes ?? defaultMaxBytes));
    case "list_num":
      return listReader(maxItems, readNum);
    case "list_uuid":
      return listReader(maxItems, readUuid);
    case "list_map":
      return listReader(maxItems, readMapItem);
    case "map":
      return mapReader(maxItems, options.required ?? [], options.accept);
    case "any":
      return readAny;
  }
}

function stringReader(maxBytes: number): Reader {
  // A UTF-16 unit is at most three bytes of UTF-8: a string this short needs no counting.
  const surelyFits = Math.floor(maxBytes / 3);
  return (value) => {
    if (typeof value !== "string") return new Fault("string", describe(value));
    const units = value.length;
    if (units <= surelyFits) return value;
    // The first test avoids counting a string that is far too long.
    if (units > maxBytes || Buffer.byteLength(value) > maxBytes) {
      return new Fault(`string of at most ${maxBytes} bytes`, `string of ${Buffer.byteLength(value)} bytes`);
    }
    return value;
  };
}

function readNum(value: unknown): unknown {
  if (typeof value !== "number") return new Fault("number", describe(value));
  return Number.isFinite(value) ? value : outOfRange();
}

function readBoolean(value: unknown): unknown {
  return typeof value === "boolean" ? value : new Fault("boolean", describe(value));
}

const hex = (digits: number): string => `[0-9A-Fa-f]{${digits}}`;

/** What a UUID looks like, as a regular expression of JSON Schema. */
export const uuidPattern = `^(?:${[8, 4, 4, 4, 12].map(hex).join("-")}|${hex(32)})$`;

const uuid = new RegExp(uuidPattern);

function readUuid(value: unknown): unknown {
  if (typeof value === "string" && uuid.test(value)) return value;
  return new Fault("UUID of 32 hexadecimal digits", cameAs(value));
}

function readDatetime(value: unknown): unknown {
  const datetime = typeof value === "string" ? parseDatetime(value) : null;
  return datetime ?? new Fault("ISO 8601 date and time with an offset or Z", cameAs(value));
}

function readNaiveDatetime(value: unknown): unknown {
  const naive = typeof value === "string" ? parseNaiveDatetime(value) : null;
  return naive ?? new Fault("ISO 8601 date and time", cameAs(value));
}

function listReader(maxItems: number, readOne: Reader): Reader {
  return (value) => {
    if (!Array.isArray(value)) return new Fault("list", describe(value));
    if (value.length > maxItems) return new Fault(`list of at most ${maxItems} items`, `list of ${value.length} items`);
    for (let index = 0; index < value.length; index++) {
      const read = readOne(value[index]);
      if (read instanceof Fault) return read.atIndex(index);
    }
    return value;
  };
}

// One list contains the item.
function readItem(value: unknown): unknown {
  return checkJson(value, 1) ?? value;
}

function readMapItem(value: unknown): unknown {
  return isPlainObject(value) ? (checkJson(value, 1) ?? value) : new Fault("map", describe(value));
}

function readAny(value: unknown): unknown {
  if (value === null || value === undefined) return new Fault("any value but null", describe(value));
  return checkJson(value, 0) ?? value;
}

function mapReader(maxItems: number, required: readonly string[], accept: readonly string[] | undefined): Reader {
  // No forbidden key can be among the accepted ones: the declaration would have been refused.
  const accepted = accept === undefined ? undefined : new Set(accept);
  const inherited = required.some((key) => key in Object.prototype);
  return (value) => {
    if (!isPlainObject(value)) return new Fault("map", describe(value));
    let items = 0;
    for (const key in value) {
      if (accepted === undefined ? isForbiddenKey(key) : !accepted.has(key)) return refusedKey(key, accept ?? []);
      const item = value[key];
      // Most are strings, which need no check inside.
      const fault = typeof item === "string" ? null : checkJson(item, 1);
      if (fault !== null) return fault.atKey(key);
      // The excess is not counted: that would double the cost of a map of 100 000 keys.
      if (++items > maxItems) return new Fault(`map of at most ${maxItems} items`, "map of more");
    }
    for (const key of required) {
      const item = value[key];
      if (item === undefined || item === null || (inherited && !Object.hasOwn(value, key))) {
        return new Fault(`map with the key ${quoted([key])}`, item === null ? "map with null there" : "map without it");
      }
    }
    return value;
  };
}

function refusedKey(key: string, accept: readonly string[]): Fault {
  if (isForbiddenKey(key)) return forbiddenKey(key);
  return new Fault(`map with no other keys than ${quoted(accept)}`, `map with the key ${quoted([key])}`);
}
