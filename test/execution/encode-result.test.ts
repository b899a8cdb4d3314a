import { expect, test } from "vitest";
import { encodeResult } from "../../src/execution/encode-result.ts";
import { results } from "../hostile/results.js";

const maxBytes = 8 * 1024 * 1024;

test.each(results)("%s", (_, make, holdable) => {
  if (holdable === true)
    expect(JSON.parse(encodeResult(make(), maxBytes))).toEqual(JSON.parse(JSON.stringify(make()) ?? "null"));
  if (holdable === false) expect(isRefused(make())).toBe(true);
});

test.each([
  [new Map(), "The result is a Map"],
  [{ a: { b: [0, new Map()] } }, `The result's "a.b.1" is a Map`],
  [{ file: Buffer.from("ab") }, `The result's "file" is a Buffer`],
  [[1, Number.NaN], `The result's "1" is NaN`],
  [Number.POSITIVE_INFINITY, "The result is Infinity"],
  [5n, "The result is a BigInt"],
  [{ a: [{ id: 1, of: { total: 5n } }] }, `The result's "a.0.of.total" is a BigInt`],
  [{ user: Promise.resolve() }, `The result's "user" is a promise`],
])("what JSON cannot hold is named by its path: %o", (value, message) => {
  expect(() => encodeResult(value, maxBytes)).toThrow(`${message}: JSON cannot hold it`);
});

// As docs/functions.md says: what JSON.stringify makes of them, which nobody pays for looking at.
test("what JSON drops below the first level is dropped, or null", () => {
  const deep = { a: { nan: Number.NaN, list: [Number.POSITIVE_INFINITY, undefined, () => 1], f: () => 1 } };
  expect(encodeResult(deep, maxBytes)).toBe('{"a":{"nan":null,"list":[null,null,null]}}');
});

test("a ring says that it is one", () => {
  const ring: Record<string, unknown> = {};
  ring.self = ring;
  expect(() => encodeResult(ring, maxBytes)).toThrow("circular");
});

test("a promise in a result that is refused may reject: that ends nothing", async () => {
  expect(() => encodeResult({ a: Promise.reject(new Error("nobody hears of it")) }, maxBytes)).toThrow("is a promise");
  await new Promise((resolve) => setImmediate(resolve));
});

/** Not by `toThrow`, which looks at what was thrown. */
function isRefused(value: unknown): boolean {
  try {
    encodeResult(value, maxBytes);
    return false;
  } catch {
    return true;
  }
}
