import type { JsonSchema } from "../arguments/json-schema.ts";

/**
 * A schema of any library that follows the Standard Schema, version 1: zod, ArkType, Valibot and others
 * (https://standardschema.dev).
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What libraries agree on. */
  readonly "~standard": {
    /** The version of the Standard Schema. */
    readonly version: 1;
    /** The library. */
    readonly vendor: string;
    /** Checks a value, and perhaps changes it. */
    readonly validate: (value: unknown) => StandardResult<Output> | PromiseLike<StandardResult<Output>>;
    /** The types of what it takes and of what it makes of it; never present at run time. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
    /** Makes JSON Schema of it, in libraries that can. */
    readonly jsonSchema?:
      | {
          readonly input: (options: { readonly target: "draft-2020-12" }) => JsonSchema;
          readonly output: (options: { readonly target: "draft-2020-12" }) => JsonSchema;
        }
      | undefined;
  };
}

/** What a schema says of a value: what it is worth, or what is wrong with it. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One thing that is wrong with a value. */
export interface StandardIssue {
  /** For people. */
  readonly message: string;
  /** Where in the value. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema takes. */
export type InputOf<Schema> = TypesOf<Schema>["input"];

/** What a schema makes of it. */
export type OutputOf<Schema> = TypesOf<Schema>["output"];

type TypesOf<Schema> = Schema extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly input: unknown; readonly output: unknown }
    ? NonNullable<Types>
    : { readonly input: unknown; readonly output: unknown }
  : never;

/** Whether `value` is a schema of the Standard Schema, and not a map of argument types. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard = (value as Readonly<Record<string, unknown>>)["~standard"];
  return typeof standard === "object" && standard !== null && "validate" in standard && "vendor" in standard;
}

/**
 * The JSON Schema that a schema's library makes of it, where it can; null otherwise, as for values that JSON Schema
 * cannot describe.
 *
 * @param side what it takes, or what it makes of it
 */
export function jsonSchemaOf(schema: StandardSchema, side: "input" | "output"): JsonSchema | null {
  const { jsonSchema } = schema["~standard"];
  if (typeof jsonSchema?.[side] !== "function") return null;
  try {
    return jsonSchema[side]({ target: "draft-2020-12" });
  } catch {
    // The standard says so: a library throws for what it cannot describe.
    return null;
  }
}
