import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isForbiddenKey } from "../../src/arguments/arg-types.ts";
import { compileArguments } from "../../src/arguments/compile-arguments.ts";
import { parseNaiveDatetime } from "../../src/arguments/datetime.ts";
import type { ArgOptions, ArgTypes } from "../../src/arguments/declarations.ts";
import { argumentsSchema } from "../../src/arguments/json-schema.ts";
import { isGenApiError } from "../../src/core/errors.ts";
import { readPage } from "../docs/tables.ts";
import { anyCall } from "./arbitraries.ts";

type Json = Readonly<Record<string, unknown>>;

/** Every value in `value`, with how many lists and maps are around it. */
function* valuesIn(value: unknown, depth = 0): Generator<{ value: unknown; key: string; depth: number }> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    yield { value: part, key, depth };
    yield* valuesIn(part, depth + 1);
  }
}

/** The strings of one argument that have a limit in bytes. */
function limited(options: ArgOptions, value: unknown): readonly [readonly unknown[], number] {
  if (options.type === "string") return [[value], options.maxBytes ?? 3_000];
  if (options.type === "list_string" && Array.isArray(value)) return [value, options.maxItemBytes ?? 3_000];
  return [[], 0];
}

/** The rows of the table, and whether a call is what a row speaks of. */
const rows: Readonly<Record<string, (argTypes: ArgTypes, args: Json) => boolean>> = {
  "a string with more bytes than `maxBytes` or `maxItemBytes`, but not more characters": (argTypes, args) =>
    Object.entries(argTypes).some(([name, options]) => {
      const [texts, most] = limited(options as ArgOptions, args[name]);
      return texts.some(
        (text) => typeof text === "string" && [...text].length <= most && Buffer.byteLength(text) > most,
      );
    }),
  "the keys `__proto__`, `constructor` and `prototype`, within an argument": (_, args) =>
    [...valuesIn(args)].some(({ key, depth }) => depth > 0 && isForbiddenKey(key)),
  "an argument with more than 32 lists and maps within each other": (_, args) =>
    [...valuesIn(args)].some(({ value, depth }) => typeof value === "object" && value !== null && depth >= 32),
  "a number that no double holds, such as `1e400`, within a list or map of anything": (_, args) =>
    [...valuesIn(args)].some(({ value, depth }) => depth > 0 && typeof value === "number" && !Number.isFinite(value)),
  "a day that its month does not have, such as `2026-02-30T12:00:00Z`": (argTypes, args) =>
    Object.entries(argTypes).some(([name, options]) => {
      const isDatetime = (options as ArgOptions).type.endsWith("datetime");
      return isDatetime && typeof args[name] === "string" && parseNaiveDatetime(args[name]) === null;
    }),
};

const ajv = new Ajv2020({ ownProperties: true, allowUnionTypes: true, strictTypes: false, logger: false });

test("the table of differences has these rows, and no other", () => {
  const [, section = ""] = readPage("docs/describing.md").split("## Where a validator decides differently");
  const named = Array.from(section.matchAll(/^\| (.+?) \|/gm), ([, cell]) => cell);
  expect(named.slice(2)).toEqual(Object.keys(rows));
});

const deep = `${"[".repeat(33)}${"]".repeat(33)}`;

test.each<[ArgTypes, string]>([
  [{ a: { type: "string", maxBytes: 3 } }, '{"a":"€€"}'],
  [{ a: "map" }, '{"a":{"__proto__":1}}'],
  [{ a: "list" }, `{"a":${deep}}`],
  [{ a: "list" }, '{"a":[1e400]}'],
  [{ a: "datetime" }, '{"a":"2026-02-30T12:00:00Z"}'],
])("row %# of the table: %j differ on %s", (argTypes, text) => {
  const args = JSON.parse(text) as Json;
  expect(ajv.validate(argumentsSchema(argTypes), args)).toBe(true);
  expect(isGenApiError(compileArguments(argTypes, "map")(args))).toBe(true);
});

test("for any declarations, the schema run by ajv accepts what the gateway accepts, but for the rows of the table", () => {
  const counts = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(anyCall, ({ argTypes, text }) => {
      const args = JSON.parse(text) as Json;
      const isAccepted = !isGenApiError(compileArguments(argTypes, "map")(args));
      const schema = argumentsSchema(argTypes);
      const isValid = ajv.validate(schema, args);
      // It would keep what it has compiled.
      ajv.removeSchema(schema);
      if (isAccepted === isValid) {
        counts[isValid ? "accepted" : "refused"]++;
        return;
      }
      const named = Object.keys(rows).filter((row) => rows[row]?.(argTypes, args));
      expect({ isAccepted, isValid, named }).toEqual({ isAccepted: false, isValid: true, named: expect.anything() });
      expect(named).not.toEqual([]);
    }),
    { numRuns: 2_000 },
  );
  expect(counts.accepted).toBeGreaterThan(300);
  expect(counts.refused).toBeGreaterThan(300);
}, 60_000);
