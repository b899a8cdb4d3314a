import { z } from "zod";
import { describe, type ErrorCode, libraryError } from "./errors.ts";

/**
 * A zod `error` parameter whose message reads "must be EXPECTED, got WHAT CAME", so that every fault of an option or
 * a FunConfig says what was wrong, what is allowed and what came.
 */
export function must(expected: string): (issue: { readonly input?: unknown }) => string {
  return (issue) => `must be ${expected}, got ${shown(issue.input)}`;
}

/** As {@link must}, of a secret: says what came by its type alone. */
export function mustUnshown(expected: string): (issue: { readonly input?: unknown }) => string {
  return (issue) => `must be ${expected}, got ${describe(issue.input)}`;
}

/**
 * `schema` with one message for whatever is wrong inside it: for small shapes such as unions, where the faults of each
 * branch say less than what was expected of the whole.
 *
 * @param message makes it of what came
 */
export function described<Schema extends z.ZodType>(
  schema: Schema,
  expected: string,
  message = must(expected),
): z.ZodType<z.output<Schema>, z.input<Schema>> {
  return z.unknown().transform((value, context) => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    context.addIssue({ code: "custom", message: message({ input: value }), input: value });
    return z.NEVER;
  }) as unknown as z.ZodType<z.output<Schema>, z.input<Schema>>;
}

/** Every fault of a failed parse as one line each, by path: `rateLimiter.globalLimits[0].windowMs must be …`. */
export function faultsOf(error: z.ZodError): string[] {
  return error.issues.map((issue) => {
    const path = pathOf(issue.path);
    const text =
      issue.code === "unrecognized_keys"
        ? `has unknown keys: ${issue.keys.map((key) => JSON.stringify(key)).join(", ")}`
        : issue.message;
    // A message may go on with the path: `[0] must be …`.
    return path === "" || text.startsWith("[") ? `${path}${text}` : `${path} ${text}`;
  });
}

/** One error for many faults. */
export function faultsError(code: ErrorCode, what: string, faults: readonly string[]) {
  return libraryError(code, `${what}: ${faults.join("; ")}`);
}

/** A value as messages show it: short ones as JSON, longer ones by their type. */
export function shown(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value === "string" && value.length <= 60) return JSON.stringify(value);
  if (typeof value === "boolean") return String(value);
  return describe(value);
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}
