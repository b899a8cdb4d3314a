import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonLength } from "../../../src/core/foreign/json-length.ts";

const anything = fc.anything({ withDate: true, withNullPrototype: true, withSparseArray: true });

test("a value whose JSON is within the limit is never taken for longer", () => {
  fc.assert(
    fc.property(anything, (value) => {
      const json = JSON.stringify(value) ?? "null";
      expect(jsonLength(value, json.length)).toBe("short");
    }),
  );
});

test("a value that is large is counted to within a few characters of each of its parts", () => {
  const row = { id: 12, name: "a name", of: [1, [], {}] };
  const rows = Array.from({ length: 50_000 }, () => ({ ...row }));
  const { length } = JSON.stringify(rows);
  expect(jsonLength(rows, length)).toBe("short");
  expect(jsonLength(rows, length * 0.8)).toBe("long");
});

test("what is shared is counted as often as JSON repeats it, without being looked at as often", () => {
  let value: unknown = "1234567";
  for (let level = 0; level < 1_000; level++) value = [value, value];
  expect(jsonLength(value, 2 ** 53)).toBe("long");
  let small: unknown = "1234567";
  for (let level = 0; level < 19; level++) small = [small, small];
  // 2 ** 19 texts of 9 characters, 2 ** 19 - 1 lists.
  expect(jsonLength(small, 12 * 2 ** 19)).toBe("short");
  expect(jsonLength(small, 9 * 2 ** 19)).toBe("long");
});

test("what is in a value with a toJSON is not looked at, but that it has one is told", () => {
  const converted = { toJSON: () => 1, inside: [1] };
  expect(jsonLength([[converted]], 10)).toBe("converted");
  expect(jsonLength([[new Date(0)]], 100)).toBe("short");
});

test("a list is not read to its end where its length says enough", () => {
  expect(jsonLength({ a: Object.assign([], { 4294967294: 1 }) }, 1_000_000_000)).toBe("long");
});

test("bytes are not listed key by key", () => {
  expect(jsonLength({ a: new Uint8Array(50_000_000) }, 1_000_000)).toBe("long");
});
