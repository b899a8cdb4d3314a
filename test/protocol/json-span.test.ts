import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { costOf, elementSpan, elementStart, type JsonSpan, memberSpan } from "../../src/protocol/json-span.ts";
import { anyCharacter } from "../support/any-character.ts";

const textAt = (json: string, span: JsonSpan | undefined) =>
  span && Buffer.from(json).toString("utf8", span.start, span.end);
const element = (json: string, index: number) => textAt(json, elementSpan(Buffer.from(json), index));
const member = (json: string, name: string) => textAt(json, memberSpan(Buffer.from(json), name));
const start = (json: string, index: number) => elementStart(Buffer.from(json), index);

const space = fc.string({ unit: fc.constantFrom(" ", "\n", "\r", "\t"), maxLength: 3 });
const key = fc.oneof(fc.string({ unit: anyCharacter }), fc.constantFrom("a", 'a"', "a\\", "[", "}", ",", ":", "é"));

test("Every element of an array is found where it is, whatever it holds and whatever spaces lie between", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.jsonValue(), space), { minLength: 1, maxLength: 6 }), space, (items, outer) => {
      const json = `${outer}[${items.map(([value, gap]) => gap + JSON.stringify(value) + gap).join()}]${outer}`;
      for (const [index, [value]] of items.entries()) {
        expect(JSON.parse(element(json, index) as string)).toEqual(JSON.parse(JSON.stringify(value)));
        if (index > 0) expect(start(json, index)).toBe(elementSpan(Buffer.from(json), index)?.start);
      }
      expect(start(json, items.length)).toBeUndefined();
      expect(element(json, items.length)).toBeUndefined();
    }),
  );
});

test("Every member of an object is found by its name, the last where several have it, as JSON.parse does", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.jsonValue(), space), { minLength: 1, maxLength: 6 }), (members) => {
      const parts = members.map(([name, value, gap]) => {
        return `${gap}${JSON.stringify(name)}${gap}:${gap}${JSON.stringify(value)}${gap}`;
      });
      const json = `{${parts.join()}}`;
      const last = new Map(members.map(([name, value]) => [name, value]));
      for (const [name, value] of last) {
        expect(JSON.parse(member(json, name) as string)).toEqual(JSON.parse(JSON.stringify(value)));
      }
    }),
  );
});

describe("Nothing is found", () => {
  test.each(["", " ", "null", '{"a":[1]}', '"[1]"', "[1", "x[1]"])("of an array in %j", (json) => {
    expect([element(json, 0), start(json, 1)]).toEqual([undefined, undefined]);
  });

  test.each(["", "null", '[{"a":1}]', '{"b":{"a":1}}', '{"b":"a"}', '{"ab":1}', '{"b":["a",1]}', '{"a" 1}', '{"a'])(
    "under the name a in %j",
    (json) => {
      expect(member(json, "a")).toBeUndefined();
    },
  );
});

test("What stands behind the outermost brackets is no part of them", () => {
  expect(element("[1],[2,3]", 1)).toBeUndefined();
  expect(member('{"b":1},"a":2}', "a")).toBeUndefined();
});

test("A value is counted by what stands before or between values, and by how deep it is nested, texts apart", () => {
  expect(costOf(Buffer.from("1"))).toEqual({ values: 0, depth: 0 });
  expect(costOf(Buffer.from("[]"))).toEqual({ values: 1, depth: 1 });
  expect(costOf(Buffer.from('[1,2,{"a":[3,4]}]'))).toEqual({ values: 6, depth: 3 });
  expect(costOf(Buffer.from("[[],[],[[]]]"))).toEqual({ values: 7, depth: 3 });
  expect(costOf(Buffer.from('"[[[[,,,,{{{{"'))).toEqual({ values: 0, depth: 0 });
  expect(costOf(Buffer.from('["\\"[[[",1]'))).toEqual({ values: 2, depth: 1 });
});
