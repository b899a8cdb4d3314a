import { describe, expect, test } from "vitest";
import { z } from "zod";
import { validateFunConfig } from "../../src/config/fun-config.ts";
import { schemaFaults } from "../../src/config/schema-faults.ts";

const required = { service: "s", requestType: "t", nodes: "local", timeout: 1_000, mfa: "m.f" };
const faultsOf = (fields: object) => {
  const validation = validateFunConfig({ ...required, ...fields });
  return validation.ok ? [] : validation.faults;
};
const deep = (levels: number): object => (levels === 0 ? {} : { not: deep(levels - 1) });

describe("a JSON Schema in a FunConfig", () => {
  test.each([
    [{}],
    [{ type: ["string", "null"], maxLength: 5, pattern: "^a", "x-tool": { anything: [1] } }],
    [{ $schema: "https://json-schema.org/draft/2020-12/schema", $defs: { a: { $ref: "#" } }, $ref: "#/$defs/a" }],
    [{ properties: { $id: { type: "string" }, "a/b": true }, required: ["$id"], $ref: "#/properties/a~1b" }],
    [{ const: { $anchor: 5 }, enum: [{ type: "nonsense" }], default: null }],
    [deep(31)],
    [z.toJSONSchema(z.object({ a: z.email(), b: z.array(z.int()), c: z.record(z.string(), z.unknown()) }))],
  ])("may be %j", (schema) => {
    expect(schemaFaults(schema, "argsSchema")).toEqual([]);
  });

  test.each([
    ["text", 'argsSchema must be a JSON Schema, which is a map, got "text"'],
    [true, "argsSchema must be a JSON Schema, which is a map, got true"],
    [{ type: "strng" }, /^argsSchema\.type must be one of null, boolean, .*, got "strng"$/],
    [
      { properties: { a: { minLength: -1 } } },
      "argsSchema.properties.a.minLength must be a whole number of at least 0, got -1",
    ],
    [{ properties: [] }, "argsSchema.properties must be a map of schemas, got list"],
    [{ items: 5 }, "argsSchema.items must be a schema, got 5"],
    [{ anyOf: [] }, "argsSchema.anyOf must be a list of schemas, got list"],
    [{ pattern: "(" }, 'argsSchema.pattern must be a regular expression, got "("'],
    [{ patternProperties: { "(": {} } }, 'argsSchema.patternProperties must have regular expressions as keys, got "("'],
    [
      { $ref: "https://example.com/schema" },
      /^argsSchema\.\$ref must be a reference within the schema, .*, got "https:/,
    ],
    [{ not: { $ref: "#/$defs/a" } }, 'argsSchema.not.$ref must refer to a schema within the schema, got "#/$defs/a"'],
    [{ $ref: "#/%" }, 'argsSchema.$ref must refer to a schema within the schema, got "#/%"'],
    [{ $id: "https://example.com" }, /^argsSchema\.\$id must be left out/],
    [{ $schema: "http://json-schema.org/draft-07/schema#" }, /^argsSchema\.\$schema must be "https:\/\/json-schema/],
    [{ default: new Date() }, "argsSchema.default must be what JSON can hold, got map"],
    [{ maximum: Number.NaN }, "argsSchema.maximum must be what JSON can hold, got NaN"],
    [JSON.parse('{"properties":{"__proto__":{}}}'), 'argsSchema.properties must not have the key "__proto__"'],
    [deep(32), /must have at most 32 lists and maps within each other, got more$/],
    [{ description: "x".repeat(32_768) }, /^argsSchema must have at most 32768 bytes as JSON, got 32786$/],
    [{ enum: Array(4_000).fill(1) }, /must be within a schema of at most 4000 values, got more$/],
  ])("may not be %j", (schema, fault) => {
    const faults = faultsOf({ argsSchema: schema });
    expect(faults).toEqual([typeof fault === "string" ? fault : expect.stringMatching(fault)]);
  });

  test("must fit how the function answers", () => {
    const schema = { type: "string" };
    expect(faultsOf({ resultSchema: schema })).toEqual([]);
    expect(faultsOf({ chunkSchema: schema, responseType: "stream" })).toEqual([]);
    expect(faultsOf({ resultSchema: schema, responseType: "stream" })).toEqual([
      "resultSchema must be left out of a function that answers with chunks",
    ]);
    expect(faultsOf({ resultSchema: schema, responseType: "none" })).toEqual([
      "resultSchema must be left out of a function that answers with no result",
    ]);
    expect(faultsOf({ chunkSchema: schema })).toEqual([
      'chunkSchema must be left out of a function whose responseType is not "stream"',
    ]);
  });

  test("is kept frozen, apart from what the author holds", () => {
    const schema = { properties: { a: { type: "string" } } };
    const { config } = validateFunConfig({ ...required, argsSchema: schema }) as { config: { argsSchema: object } };
    schema.properties.a.type = "nonsense";
    expect(config.argsSchema).toEqual({ properties: { a: { type: "string" } } });
    expect(Object.isFrozen((config.argsSchema as typeof schema).properties.a)).toBe(true);
  });
});

test("what a FunConfig says of its function has bounds and kinds", () => {
  expect(faultsOf({ description: "€".repeat(341), deprecated: "use g", hints: { readOnly: true } })).toEqual([]);
  expect(faultsOf({ description: "€".repeat(342) })).toEqual(["description must have at most 1024 bytes, got 1026"]);
  expect(faultsOf({ description: 5 })).toEqual(["description must be a string, got 5"]);
  expect(faultsOf({ deprecated: 1 })).toEqual([
    "deprecated must be true, false or a text of at most 1024 bytes, got 1",
  ]);
  expect(faultsOf({ hints: { readOnly: "yes" } })).toEqual(['hints.readOnly must be true or false, got "yes"']);
  expect(faultsOf({ hints: { safe: true } })).toEqual([expect.stringContaining('hints has unknown keys: "safe"')]);
  expect(faultsOf({ hints: [] })).toEqual(["hints must be a map of hints, got list"]);
  expect(faultsOf({ argTypes: "schema" })).toEqual([expect.stringContaining('argOrders must be "map"')]);
});
