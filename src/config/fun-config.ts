import { z } from "zod";
import {
  type ArgOrders,
  type ArgTypes,
  checkArgumentDeclarations,
  type SchemaArguments,
} from "../arguments/declarations.ts";
import type { JsonSchema } from "../arguments/json-schema.ts";
import { described, faultsError, faultsOf, must, namesKeys } from "../core/faults.ts";
import { parseVersion } from "../core/semantic-version.ts";
import { unreadableFault } from "../core/unreadable.ts";
import { cloneFault } from "./carried-values.ts";
import { descriptionFaults, maxDescriptionBytes } from "./description-faults.ts";
import type { FunConfigInput } from "./fun-config-input.ts";

export type { FunConfigInput, FunctionHints, ModuleFunction, ModuleFunctionInput } from "./fun-config-input.ts";

const name = z.string({ error: must("a non-empty string") }).min(1, { error: must("a non-empty string") });

const mfaObject = z.strictObject({
  module: name,
  function: name,
  args: z.array(z.unknown(), { error: must("a list of arguments") }).default([]),
});

const mfaText = z
  .string()
  .regex(/^[^.]+\.[^.]+$/)
  .transform((text) => {
    const [module = "", fun = ""] = text.split(".");
    return { module, function: fun, args: [] as unknown[] };
  });

const mfa = described(z.union([mfaObject, mfaText]), '{module, function, args} or "module.function"');

const words = z.string({ error: must("a string") }).refine((text) => Buffer.byteLength(text) <= maxDescriptionBytes, {
  error: ({ input }) => {
    return `must have at most ${maxDescriptionBytes} bytes, got ${Buffer.byteLength(input as string)}`;
  },
});

const hint = z.boolean({ error: must("true or false") }).optional();

// descriptionFaults checks their contents.
const jsonSchema = z.custom<JsonSchema>().nullable().default(null);

const retries = z.int().min(0).max(100);

/** The schema of {@link FunConfigInput}; a test keeps the two equal. */
export const funConfigSchema = z.strictObject({
  requestType: name,
  service: name,
  nodes: described(
    z.union([z.literal("local"), z.array(name).min(1), mfaObject]),
    '"local", a list of node names or a resolver {module, function, args}',
  ),
  nodesTtlMs: z
    .int({ error: must("a whole number of milliseconds") })
    .min(0, { error: must("a whole number of milliseconds") })
    .default(5_000),
  chooseNodeMode: described(
    z.union([
      z.enum(["random", "hash", "roundRobin"]),
      z.strictObject({ hash: name }),
      z.strictObject({ sticky: name }),
    ]),
    '"random", "hash", "roundRobin", {hash: argument} or {sticky: argument}',
  ).default("random"),
  timeout: described(
    z.union([z.int().min(100).max(300_000), z.literal("infinity")]),
    'a whole number from 100 to 300000 (milliseconds) or "infinity"',
  ),
  mfa,
  // checkArgumentDeclarations checks the contents of these two, to report their faults with all others.
  argTypes: z.custom<ArgTypes | SchemaArguments>().nullable().default(null),
  argOrders: z.custom<ArgOrders>().default([]),
  responseType: z
    .enum(["sync", "async", "stream", "none"], { error: must('"sync", "async", "stream" or "none"') })
    .default("sync"),
  checkPermission: described(
    z.union([
      z.literal(false),
      z.literal("any_authenticated"),
      z.strictObject({ arg: name }),
      z.strictObject({ role: z.array(name).min(1) }),
      z.strictObject({ claim: name, arg: name }),
      z.strictObject({ claim: name, in: z.array(z.union([name, z.number(), z.boolean()])).min(1) }),
    ]),
    'false, "any_authenticated", {arg: argument}, {role: [role, …]}, {claim: claim, arg: argument} or {claim: claim, in: [value, …]}',
  ).default(false),
  permissionCallback: mfa.nullable().default(null),
  version: z
    .string({ error: must('a semantic version such as "1.0.0", or null') })
    .refine((version) => parseVersion(version) !== null, {
      error: must('a semantic version such as "1.0.0", or null'),
    })
    .refine((version) => parseVersion(version)?.version !== "0.0.0", {
      error: 'must not be "0.0.0": that version is reserved and means "the latest"',
    })
    .nullable()
    .default(null),
  disabled: z.boolean({ error: must("true or false") }).default(false),
  retry: described(
    z.union([retries, z.strictObject({ sameNode: retries }), z.strictObject({ allNodes: retries })]),
    "null, a number of retries from 0 to 100, {sameNode: n} or {allNodes: n}",
  )
    .nullable()
    .default(null),
  beforeExecute: mfa.nullable().default(null),
  afterExecute: mfa.nullable().default(null),
  hookTimeout: z
    .int({ error: must("a whole number of milliseconds above 0") })
    .min(1, { error: must("a whole number of milliseconds above 0") })
    .default(5_000),
  requestInfo: z.boolean({ error: must("true or false") }).default(false),
  runOn: z.enum(["worker", "main"], { error: must('"worker" or "main"') }).default("worker"),
  description: words.nullable().default(null),
  deprecated: z
    .union([z.boolean(), words], { error: must("true, false or a text of at most 1024 bytes") })
    .default(false),
  argsSchema: jsonSchema,
  resultSchema: jsonSchema,
  chunkSchema: jsonSchema,
  hints: z
    .strictObject(
      { readOnly: hint, destructive: hint, idempotent: hint },
      { error: (issue) => (issue.code === "invalid_type" ? must("a map of hints")(issue) : undefined) },
    )
    .default({}),
});

/** A valid configuration with every field filled in: maps one (service, requestType, version) to one function. */
export type FunConfig = {
  // Mapped over the input, so that each field keeps its comment.
  readonly [Field in keyof FunConfigInput]-?: z.output<typeof funConfigSchema>[Field];
};

/** A module's function, and the arguments passed before all others. */
export type Mfa = FunConfig["mfa"];

/** The result of {@link validateFunConfig}. */
export type FunConfigValidation =
  | { readonly ok: true; readonly config: FunConfig }
  | { readonly ok: false; readonly faults: readonly string[] };

/** Checks a configuration and fills in the defaults. Lists every fault with the name of its field; never throws. */
export function validateFunConfig(value: unknown): FunConfigValidation {
  try {
    const parsed = funConfigSchema.safeParse(value, namesKeys);
    const { argTypes, argOrders } = Object(value) as Partial<FunConfigInput>;
    const faults = [...checkArgumentDeclarations(argTypes, argOrders), ...descriptionFaults(value)];
    if (parsed.success) faults.push(...argsFaults(parsed.data, cloneFault));
    // Hooks and functions see parts of it: their changes must not reach the next request.
    if (parsed.success && faults.length === 0) return { ok: true, config: deepFrozen(structuredClone(parsed.data)) };
    return { ok: false, faults: [...(parsed.success ? [] : faultsOf(parsed.error)), ...faults] };
  } catch (thrown) {
    // A getter or proxy of the value itself threw while we read it.
    return { ok: false, faults: [unreadableFault(value, thrown)] };
  }
}

/** The faults that `faultOf` finds in the fixed arguments of a FunConfig. */
function argsFaults(
  { mfa, permissionCallback, beforeExecute, afterExecute, nodes }: z.output<typeof funConfigSchema>,
  faultOf: (value: unknown, path: string) => string | null,
): string[] {
  const resolver = typeof nodes === "object" && "args" in nodes ? nodes : null;
  const named = { mfa, permissionCallback, beforeExecute, afterExecute, nodes: resolver };
  return Object.entries(named).flatMap(([field, called]) => {
    return called === null ? [] : (faultOf(called.args, `${field}.args`) ?? []);
  });
}

/** Whether {@link validateFunConfig} finds no fault. */
export function isValidFunConfig(value: unknown): boolean {
  return validateFunConfig(value).ok;
}

/**
 * The valid configuration in `value`.
 * @throws GenApiError `invalid_config` that lists every fault
 */
export function parseFunConfig(value: unknown, what = "Invalid FunConfig"): FunConfig {
  const validation = validateFunConfig(value);
  if (validation.ok) return validation.config;
  throw faultsError("invalid_config", what, validation.faults);
}

function deepFrozen<Value>(value: Value): Value {
  // The contents of a typed array cannot be frozen.
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFrozen(part);
  }
  return value;
}
