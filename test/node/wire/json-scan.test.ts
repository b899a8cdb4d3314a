import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isJsonText } from "../../../src/node/wire/json-scan.ts";
import { anyCharacter } from "../../support/any-character.ts";

function isParsed(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** How many of the texts are JSON; each must be for both or for neither. */
function compare(texts: fc.Arbitrary<string>, numRuns: number): { json: number; other: number } {
  const seen = { json: 0, other: 0 };
  fc.assert(
    fc.property(texts, (text) => {
      const isJson = isJsonText(text);
      expect(isJson).toBe(isParsed(text));
      seen[isJson ? "json" : "other"]++;
    }),
    { numRuns },
  );
  return seen;
}

const json = fc.tuple(fc.json({ stringUnit: anyCharacter }), fc.constantFrom(0, 1, "\t")).map(([text, space]) => {
  return JSON.stringify(JSON.parse(text), null, space);
});

describe("a text is JSON", () => {
  test("when JSON.stringify has made it", () => {
    expect(compare(json, 3_000).other).toBe(0);
  });

  test("when JSON.parse takes it, and only then, with something changed, cut off, doubled or put in", () => {
    const part = fc.constantFrom(
      ...'{}[],:"\\/ \t\n\r\v\f\u0000\u001f\u007f\u00a0\u2028\ufeff0123.-+eEutfnabxg',
      "\\u00e",
      "\\ud800",
      "null",
      "-0",
    );
    const changed = fc.tuple(json, fc.nat(), fc.nat({ max: 3 }), fc.string({ unit: part, maxLength: 3 }));
    const seen = compare(
      changed.map(([text, at, removed, added]) => {
        const from = at % (text.length + 1);
        return text.slice(0, from) + added + text.slice(from + removed);
      }),
      5_000,
    );
    expect(Math.min(seen.json, seen.other)).toBeGreaterThan(100);
  });

  test("when JSON.parse takes it, and only then, though it is made of the right signs by chance", () => {
    const part = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"',
      "\\",
      "0",
      "1",
      ".",
      "-",
      "e",
      "E",
      "+",
      " ",
      "true",
      "false",
      "null",
    );
    const seen = compare(fc.string({ unit: part, maxLength: 8 }), 10_000);
    expect(Math.min(seen.json, seen.other)).toBeGreaterThan(100);
  });

  test("of every form that numbers and escapes may have, and of no other", () => {
    const numbers = [
      "0",
      "-0",
      "10",
      "1.5",
      "1e5",
      "1E+05",
      "-1.0e-2",
      "01",
      "-",
      "+1",
      ".5",
      "1.",
      "1e",
      "1e+",
      "0x1",
      "--1",
      "1_0",
    ];
    const escapes = [..."\"\\/bfnrtuvxa0'\n"].map((sign) => `"\\${sign}"`);
    const units = ["0041", "fFaA", "004", "00g1", "-001"].map((digits) => `"\\u${digits}"`);
    for (const text of [...numbers, ...escapes, ...units])
      expect([text, isJsonText(text)]).toEqual([text, isParsed(text)]);
  });

  test("when it nests no deeper than anything that JSON.stringify makes", () => {
    const nested = (depth: number) => `${"[".repeat(depth)}1${"]".repeat(depth)}`;
    const maps = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
    for (const make of [nested, maps]) {
      expect([isJsonText(make(65_536)), isJsonText(make(65_537)), isJsonText(make(1_000_000))]).toEqual([
        true,
        false,
        false,
      ]);
    }
  });
});
