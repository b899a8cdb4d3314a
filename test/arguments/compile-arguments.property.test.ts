import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileArguments } from "../../src/arguments/compile-arguments.ts";
import { type ArgTypes, checkArgumentDeclarations } from "../../src/arguments/declarations.ts";
import { isGenApiError } from "../../src/core/errors.ts";
import { anyCall, jsonText, objectText } from "./arbitraries.ts";
import { naiveArguments } from "./naive-arguments.ts";

describe.each([
  ["generated code", 0],
  ["the plain form", Infinity],
])("for any declarations and any JSON, %s", (_, generateAfter) => {
  it("agrees with the rules as a naive reading has them", () => {
    let passed = 0;
    let refused = 0;
    fc.assert(
      fc.property(anyCall, ({ argTypes, argOrders, text }) => {
        const validate = compileArguments(argTypes, argOrders, { generateAfter });
        const outcome = validate(JSON.parse(text));
        const expected = naiveArguments(argTypes, argOrders, JSON.parse(text));
        if ("passed" in expected) {
          passed++;
          expect(outcome).toStrictEqual(expected.passed);
        } else {
          refused++;
          if (!isGenApiError(outcome))
            expect.fail(`passed ${JSON.stringify(outcome)}, though ${expected.refused} is wrong`);
          expect(outcome.code).toBe("invalid_argument");
          expect(outcome.message).toContain(JSON.stringify(expected.refused).slice(1, -1));
          expect(outcome.message.length).toBeLessThan(3_000);
        }
      }),
      { numRuns: 1_500 },
    );
    // The comparison says something only if both outcomes are common.
    expect(passed).toBeGreaterThan(400);
    expect(refused).toBeGreaterThan(400);
  });

  it("passes nothing with a key that can reach a prototype", () => {
    const types = ["list", "list_map", "map", "any"] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.constantFrom("__proto__", "constructor", "prototype"),
        fc.integer({ min: 0, max: 25 }),
        fc.array(fc.boolean(), { minLength: 26, maxLength: 26 }),
        jsonText,
        (type, forbidden, depth, maps, inner) => {
          const poisoned = maps.slice(0, depth).reduce(
            (text, map) => (map ? `{"k":${text}}` : `[1,${text}]`),
            objectText([
              ["x", "1"],
              [forbidden, inner],
            ]),
          );
          const value = type === "list" || type === "list_map" ? `[{"k":${poisoned}}]` : `{"k":${poisoned}}`;
          const outcome = compileArguments({ v: type }, null, { generateAfter })(JSON.parse(`{"v":${value}}`));
          expect(isGenApiError(outcome)).toBe(true);
        },
      ),
    );
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

it("checks any declarations without throwing, and compiles those that it finds no fault with", () => {
  const anything = fc.oneof(fc.jsonValue(), fc.anything());
  const optionNames = fc.constantFrom(
    "type",
    "maxBytes",
    "maxItems",
    "maxItemBytes",
    "allowNil",
    "defaultValue",
    "required",
    "accept",
    "x",
  );
  const declaration = fc.oneof(
    anything,
    fc.constantFrom("string", "list_map", "nope"),
    fc.dictionary(optionNames, fc.oneof(fc.constantFrom("string", "map", 5, -1, true, ["a"], ["a", "a"]), anything)),
  );
  fc.assert(
    fc.property(
      fc.oneof(anything, fc.dictionary(fc.string(), declaration)),
      fc.oneof(anything, fc.constantFrom("map", [])),
      (argTypes, argOrders) => {
        const faults = checkArgumentDeclarations(argTypes, argOrders);
        for (const fault of faults) expect(fault).toMatch(/^arg(?:Types|Orders)/);
        if (faults.length > 0) return;
        const validate = compileArguments(argTypes as ArgTypes, argOrders as null);
        expect(validate({})).toBeDefined();
      },
    ),
    { numRuns: 1_000 },
  );
});
