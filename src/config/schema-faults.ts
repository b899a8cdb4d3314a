import { isForbiddenKey } from "../arguments/arg-types.ts";
import { isPlainObject } from "../arguments/json-value.ts";
import { shown } from "../core/faults.ts";

// The most bytes of one JSON Schema, as JSON.
const maxSchemaBytes = 32_768;

// A schema is kept as objects, of which the smallest take many times the bytes that they have as JSON.
const maxSchemaValues = 4_000;

const maxDepth = 32;
const dialect = "https://json-schema.org/draft/2020-12/schema";

/** What a keyword's value must be, in words, and the check of it. */
interface Rule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

const isText = (value: unknown): boolean => typeof value === "string";
const isTextList = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isDistinct = (list: readonly unknown[]): boolean => new Set(list).size === list.length;
const isKeyList = (value: unknown): boolean => isTextList(value) && isDistinct(value as unknown[]);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

const text: Rule = { expected: "a string", accepts: isText };
const flag: Rule = { expected: "true or false", accepts: (value) => typeof value === "boolean" };
const count: Rule = { expected: "a whole number of at least 0", accepts: isCount };
const bound: Rule = { expected: "a number", accepts: (value) => typeof value === "number" };
const divisor: Rule = { expected: "a number above 0", accepts: (value) => typeof value === "number" && value > 0 };
const list: Rule = { expected: "a list", accepts: Array.isArray };
const keys: Rule = { expected: "a list of different strings", accepts: isKeyList };
const pattern: Rule = { expected: "a regular expression", accepts: isPattern };
const keysByKey: Rule = {
  expected: "a map of lists of different strings",
  accepts: (value) => isPlainObject(value) && Object.values(value).every(isKeyList),
};
const unnamed: Rule = { expected: "left out: a schema has no other name than its place", accepts: () => false };

const typeNames = ["null", "boolean", "object", "array", "number", "string", "integer"];
const type: Rule = {
  expected: `one of ${typeNames.join(", ")}, or a list of some of them`,
  accepts: (value) => {
    const names: unknown[] = Array.isArray(value) ? value : [value];
    return names.length > 0 && isDistinct(names) && names.every((name) => typeNames.includes(name as string));
  },
};

const ref: Rule = {
  expected: 'a reference within the schema, "#" or "#/…"',
  accepts: (value) => typeof value === "string" && /^#(\/.*)?$/s.test(value),
};

/** The keywords of 2020-12 that hold no schemas. All others that are unknown say something to tools, and are let be. */
const rules = new Map<string, Rule>([
  ["$schema", { expected: `"${dialect}"`, accepts: (value) => value === dialect || value === `${dialect}#` }],
  ["$ref", ref],
  ["$comment", text],
  ["title", text],
  ["description", text],
  ["format", text],
  ["contentEncoding", text],
  ["contentMediaType", text],
  ["pattern", pattern],
  ["type", type],
  ["enum", list],
  ["examples", list],
  ["required", keys],
  ["dependentRequired", keysByKey],
  ["minimum", bound],
  ["maximum", bound],
  ["exclusiveMinimum", bound],
  ["exclusiveMaximum", bound],
  ["multipleOf", divisor],
  ["deprecated", flag],
  ["readOnly", flag],
  ["writeOnly", flag],
  ["uniqueItems", flag],
  ...[
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minContains",
    "maxContains",
  ].map((name) => [name, count] as const),
  // References would mean something else in a document that holds the schema.
  ...["$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary"].map((name) => [name, unnamed] as const),
]);

/** Keywords that hold one schema, a list of them, or a map of them. */
export const schemaKeywords = {
  one: new Set([
    ...["additionalProperties", "propertyNames", "unevaluatedProperties", "items", "unevaluatedItems", "contains"],
    ...["not", "if", "then", "else", "contentSchema"],
  ]),
  list: new Set(["allOf", "anyOf", "oneOf", "prefixItems"]),
  map: new Set(["properties", "patternProperties", "$defs", "dependentSchemas"]),
} as const;

/**
 * The faults of a JSON Schema that is given as data, at most the first one. It must be a map of JSON of at most 32 KiB
 * and 4 000 values, 32 deep, whose keywords have values of their kinds, and which refers only to itself. Nothing of it
 * is ever run.
 *
 * @param path its name in the fault
 */
export function schemaFaults(schema: unknown, path: string): string[] {
  if (!isPlainObject(schema)) return [`${path} must be a JSON Schema, which is a map, got ${shown(schema)}`];
  const values = { left: maxSchemaValues };
  const fault =
    jsonFaultIn(schema, path, 0, values) ?? schemaFault(schema, path) ?? referenceFault(schema, schema, path);
  if (fault !== null) return [fault];
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  return bytes <= maxSchemaBytes ? [] : [`${path} must have at most ${maxSchemaBytes} bytes as JSON, got ${bytes}`];
}

/** The fault of a value that is not JSON, or is too much of it. */
function jsonFaultIn(value: unknown, path: string, depth: number, values: { left: number }): string | null {
  values.left--;
  if (values.left < 0) return `${path} must be within a schema of at most ${maxSchemaValues} values, got more`;
  if (value === null || typeof value === "string" || typeof value === "boolean") return null;
  if (typeof value === "number" && Number.isFinite(value)) return null;
  const isList = Array.isArray(value);
  if (!isList && !isPlainObject(value)) return `${path} must be what JSON can hold, got ${shown(value)}`;
  if (depth === maxDepth) return `${path} must have at most ${maxDepth} lists and maps within each other, got more`;
  if (isList) {
    for (let index = 0; index < value.length; index++) {
      const fault = jsonFaultIn(value[index], `${path}[${index}]`, depth + 1, values);
      if (fault !== null) return fault;
    }
    return null;
  }
  for (const [key, part] of Object.entries(value)) {
    if (isForbiddenKey(key)) return `${path} must not have the key ${shown(key)}`;
    const fault = jsonFaultIn(part, `${path}.${key}`, depth + 1, values);
    if (fault !== null) return fault;
  }
  return null;
}

/** The fault of the keywords of a schema, and of those within it. */
function schemaFault(schema: unknown, path: string): string | null {
  if (typeof schema === "boolean") return null;
  if (!isPlainObject(schema)) return `${path} must be a schema, got ${shown(schema)}`;
  for (const [keyword, value] of Object.entries(schema)) {
    const at = `${path}.${keyword}`;
    const rule = rules.get(keyword);
    if (rule !== undefined && !rule.accepts(value)) return `${at} must be ${rule.expected}, got ${shown(value)}`;
    const fault = schemasFault(keyword, value, at);
    if (fault !== null) return fault;
  }
  return null;
}

function schemasFault(keyword: string, value: unknown, path: string): string | null {
  if (schemaKeywords.one.has(keyword)) return schemaFault(value, path);
  if (schemaKeywords.list.has(keyword)) {
    if (!Array.isArray(value) || value.length === 0) return `${path} must be a list of schemas, got ${shown(value)}`;
    return firstFault(value.entries(), (index) => `${path}[${index}]`);
  }
  if (!schemaKeywords.map.has(keyword)) return null;
  if (!isPlainObject(value)) return `${path} must be a map of schemas, got ${shown(value)}`;
  if (keyword === "patternProperties") {
    const wrong = Object.keys(value).find((key) => !isPattern(key));
    if (wrong !== undefined) return `${path} must have regular expressions as keys, got ${shown(wrong)}`;
  }
  return firstFault(Object.entries(value), (key) => `${path}.${key}`);
}

function firstFault<Key>(parts: Iterable<readonly [Key, unknown]>, pathOf: (key: Key) => string): string | null {
  for (const [key, part] of parts) {
    const fault = schemaFault(part, pathOf(key));
    if (fault !== null) return fault;
  }
  return null;
}

/** The fault of a reference to nothing. */
function referenceFault(value: unknown, root: unknown, path: string): string | null {
  if (typeof value !== "object" || value === null) return null;
  for (const [key, part] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`;
    const isReference = key === "$ref" && typeof part === "string" && part.startsWith("#");
    if (isReference && !isSchema(resolvePointer(root, part))) {
      return `${at} must refer to a schema within the schema, got ${shown(part)}`;
    }
    const fault = referenceFault(part, root, at);
    if (fault !== null) return fault;
  }
  return null;
}

function isSchema(value: unknown): boolean {
  return typeof value === "boolean" || isPlainObject(value);
}

/** What a reference such as `#/$defs/item` names; undefined for nothing. */
export function resolvePointer(root: unknown, pointer: string): unknown {
  let at: unknown = root;
  for (const part of pointer.split("/").slice(1)) {
    const key = decoded(part);
    if (key === null || typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[key];
  }
  return at;
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    // A percent sign that encodes nothing.
    return null;
  }
}

/** Only its syntax is read. Many are written without the escapes that the flag `u` asks for. */
function isPattern(value: unknown): boolean {
  return typeof value === "string" && (isRegExp(value, "u") || isRegExp(value, ""));
}

function isRegExp(source: string, flags: string): boolean {
  try {
    new RegExp(source, flags);
    return true;
  } catch {
    return false;
  }
}
