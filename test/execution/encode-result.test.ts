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

test("a ring says that it is one, beside a large part and in a part that is shared", () => {
  const ring: Record<string, unknown> = { large: Array(1_000_000).fill(1) };
  let value: unknown = ring;
  for (let level = 0; level < 40; level++) value = [value, value];
  ring.self = value;
  expect(() => encodeResult(value, maxBytes)).toThrow("circular");
});

test("a text is within its limit to the byte, whatever it is made of", () => {
  const values = [
    ["aé", 1, null],
    { a: { b: [[], {}, -0.5] }, c: undefined, d: () => 1 },
    { a: { toJSON: () => ["x", undefined, 2] } },
    [new Date(0), [[]], "", true],
  ];
  for (const value of values) {
    const json = JSON.stringify(value);
    expect(encodeResult(value, Buffer.byteLength(json))).toBe(json);
    expect(() => encodeResult(value, Buffer.byteLength(json) - 1)).toThrow("allowed");
  }
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
