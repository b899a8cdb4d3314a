import { libraryError } from "../core/errors.ts";
import { builtIns } from "../core/foreign/built-ins.ts";
import { hearPromises } from "../core/foreign/hear-promises.ts";
import { jsonWithin } from "./json-within.ts";
import { bigIntIn, type Loss, lostIn } from "./lossy.ts";

// Values from which the chunks of a stream could be taken.
const deps = new Set(["a generator", "an iterator", "an async iterable"]);

// Enough of a path to find the place.
const maxPathLength = 200;

/**
 * A value of the user's as JSON, by the rules of JSON.stringify: a Date becomes an ISO string, undefined becomes null,
 * functions in it are dropped, in a list they are null. What those rules would lose without a word is refused. Promises are heard in a value that
 * is refused, that has a `toJSON`, or whose JSON shows an object without fields: to look for them in every result would
 * cost as much as to encode it.
 *
 * @param subject what the value is, for messages
 * @throws whatever JSON.stringify throws (a cycle, too many levels), or GenApiError `internal` where the value holds a
 * BigInt, a Map, bytes or the like, or the text is longer than `maxBytes` of UTF-8
 */
export function encodeResult(value: unknown, maxBytes: number, subject = "result"): string {
  try {
    return encoded(value, maxBytes, subject);
  } catch (thrown) {
    hearPromises(value);
    throw thrown;
  }
}

function encoded(value: unknown, maxBytes: number, subject: string): string {
  const json = jsonOf(value, maxBytes, subject);
  // A UTF-16 unit takes at most 3 bytes of UTF-8: only texts near the limit are counted exactly.
  if (json.length * 3 > maxBytes && builtIns.byteLength(json) > maxBytes) {
    throw libraryError(
      "internal",
      `The ${subject} is ${builtIns.byteLength(json)} bytes of JSON, at most ${maxBytes} are allowed`,
    );
  }
  const loss = lostIn(value, json);
  if (loss !== null) throw libraryError("internal", messageOf(loss, subject));
  return json;
}

function jsonOf(value: unknown, maxBytes: number, subject: string): string {
  try {
    return jsonWithin(convertsItself(value) ? heardConversion(value) : value, maxBytes, subject) ?? "null";
  } catch (thrown) {
    const loss = bigIntIn(value);
    throw loss === null ? thrown : libraryError("internal", messageOf(loss, subject), { cause: thrown });
  }
}

interface Convertible {
  toJSON(key: string): unknown;
}

function convertsItself(value: unknown): value is Convertible {
  return typeof value === "object" && value !== null && typeof (value as Partial<Convertible>).toJSON === "function";
}

/** Wraps the value to handle the promises in it and in the result of its `toJSON`, which no other code sees. */
function heardConversion(value: Convertible): Convertible {
  hearPromises(value);
  return {
    toJSON(key) {
      const converted = value.toJSON(key);
      if (converted !== value) hearPromises(converted);
      return converted;
    },
  };
}

function messageOf({ path, what }: Loss, subject: string): string {
  const name = path.join(".");
  const shown = name.length > maxPathLength ? `${name.slice(0, maxPathLength)}…` : name;
  const where = path.length === 0 ? `The ${subject}` : `The ${subject}'s "${shown}"`;
  const instead = subject === "result" && deps.has(what) ? ', or give the function responseType "stream"' : "";
  return `${where} is ${what}: JSON cannot hold it; ${subject === "result" ? "return" : "use"} an object, a list, a text or a finite number${instead}`;
}
