import {
  type ArgTypes,
  type CheckedArgOptions,
  defaultMaxBytes,
  defaultMaxItems,
  type SchemaArguments,
} from "./arg-types.ts";
import { datetimePattern, longestDatetime, naiveDatetimePattern } from "./datetime.ts";
import { uuidPattern } from "./readers.ts";

/** A JSON Schema of the version 2020-12, as plain data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * The JSON Schema of what a client may send as `args`. docs/describing.md lists where a validator that runs it decides
 * differently from the gateway: for bytes, forbidden keys, depths and days that do not exist.
 */
export function argumentsSchema(argTypes: ArgTypes | SchemaArguments | null): JsonSchema {
  if (argTypes === "schema") return { type: "object", maxProperties: defaultMaxItems };
  const declared = Object.entries(argTypes ?? {}).map(([name, declaration]) => {
    const options: CheckedArgOptions = typeof declaration === "string" ? { type: declaration } : declaration;
    return [name, options] as const;
  });
  // Such a function ignores whatever is sent.
  if (declared.length === 0) return { type: "object" };
  const required = declared.filter(([, options]) => !mayBeMissing(options)).map(([name]) => name);
  return {
    type: "object",
    properties: Object.fromEntries(declared.map(([name, options]) => [name, argumentSchema(options)])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

/** Whether a client may leave an argument out. */
export function mayBeMissing({ defaultValue, allowNil }: CheckedArgOptions): boolean {
  return defaultValue !== undefined || allowNil === true;
}

function argumentSchema(options: CheckedArgOptions): JsonSchema {
  const { type, ...limits } = typeSchema(options) as { readonly type: string | readonly string[] };
  const types = options.allowNil === true ? [type, "null"].flat() : type;
  return { type: types, ...limits, ...(options.defaultValue === undefined ? {} : { default: options.defaultValue }) };
}

function typeSchema(options: CheckedArgOptions): JsonSchema {
  const { maxItems = defaultMaxItems } = options;
  switch (options.type) {
    case "string":
      return stringSchema(options.maxBytes);
    case "num":
      return number;
    case "boolean":
      return { type: "boolean" };
    case "uuid":
      return uuid;
    case "datetime":
      return { type: "string", maxLength: longestDatetime, pattern: datetimePattern };
    case "naive_datetime":
      return { type: "string", maxLength: longestDatetime, pattern: naiveDatetimePattern };
    case "list":
      return { type: "array", maxItems };
    case "list_string":
      return { type: "array", items: stringSchema(options.maxItemBytes), maxItems };
    case "list_num":
      return { type: "array", items: number, maxItems };
    case "list_uuid":
      return { type: "array", items: uuid, maxItems };
    case "list_map":
      return { type: "array", items: { type: "object" }, maxItems };
    case "map":
      return mapSchema(options);
    case "any":
      return { type: ["string", "number", "boolean", "object", "array"] };
  }
}

const number: JsonSchema = { type: "number" };
const uuid: JsonSchema = { type: "string", pattern: uuidPattern };

/** A string's limit counts bytes; a JSON Schema counts characters, of which there are never more. */
function stringSchema(maxBytes = defaultMaxBytes): JsonSchema {
  return { type: "string", maxLength: maxBytes };
}

function mapSchema({ required = [], accept, maxItems = defaultMaxItems }: CheckedArgOptions): JsonSchema {
  const mustBe = required.map((key) => [key, { not: { type: "null" } }] as const);
  const properties = Object.fromEntries([...(accept ?? []).map((key) => [key, {}] as const), ...mustBe]);
  return {
    type: "object",
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...(required.length === 0 ? {} : { required }),
    ...(accept === undefined ? {} : { additionalProperties: false }),
    maxProperties: maxItems,
  };
}
