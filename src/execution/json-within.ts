import { libraryError } from "../core/errors.ts";
import { builtIns } from "../core/foreign/built-ins.ts";
import { jsonLength } from "../core/foreign/json-length.ts";

/**
 * As JSON.stringify, which would go on for as long as it takes to write what a value shares each time it is found.
 *
 * @param maxBytes ends it; the text may still be longer
 * @param subject what the value is, for messages
 * @throws whatever JSON.stringify throws, or GenApiError `internal` for a longer text
 */
export function jsonWithin(value: unknown, maxBytes: number, subject: string): string | undefined {
  switch (jsonLength(value, maxBytes)) {
    case "short":
      return builtIns.stringify(value);
    case "converted":
    // Its error names the ring.
    case "circular":
      return builtIns.stringify(value, counter(maxBytes, subject));
    case "long":
      throw tooLong(maxBytes, subject);
  }
}

/** Ends JSON.stringify when it has been given more than fits into `maxBytes`, or a `toJSON` has made more than that. */
function counter(maxBytes: number, subject: string): (this: unknown, key: string, value: unknown) => unknown {
  let left = maxBytes + 1;
  return function count(key, value) {
    left -= leastLength(value);
    if (left < 0 || (isConverted(this, key, value) && jsonLength(value, maxBytes) === "long")) {
      throw tooLong(maxBytes, subject);
    }
    return value;
  };
}

/** Whether a value is what the `toJSON` of the one in its place has made. */
function isConverted(around: unknown, key: string, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const original = (around as Readonly<Record<string, unknown>>)[key];
  return original !== value && typeof (original as { toJSON?: unknown } | null | undefined)?.toJSON === "function";
}

/** The least characters that a value adds to its JSON, without those of its parts. */
function leastLength(value: unknown): number {
  switch (typeof value) {
    case "string":
      return value.length + 3;
    case "undefined":
    case "function":
    case "symbol":
      return 0;
    default:
      // Two brackets, or one character and a comma.
      return 2;
  }
}

function tooLong(maxBytes: number, subject: string): Error {
  return libraryError("internal", `The ${subject} is more JSON than the ${maxBytes} bytes that are allowed`);
}
