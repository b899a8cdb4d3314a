import { libraryError } from "./errors.ts";

/**
 * A function's result as JSON, by the rules of JSON.stringify: a Date becomes an ISO string, undefined becomes null,
 * functions in it are dropped.
 *
 * @throws whatever JSON.stringify throws (a cycle, a BigInt), or GenApiError `internal` when the text is longer than
 * `maxBytes` of UTF-8
 */
export function encodeResult(value: unknown, maxBytes: number): string {
  const json = JSON.stringify(value) ?? "null";
  // A UTF-16 unit takes at most 3 bytes of UTF-8: only texts near the limit are counted exactly.
  if (json.length * 3 > maxBytes && Buffer.byteLength(json) > maxBytes) {
    throw libraryError(
      "internal",
      `The result is ${Buffer.byteLength(json)} bytes of JSON, at most ${maxBytes} are allowed`,
    );
  }
  return json;
}
