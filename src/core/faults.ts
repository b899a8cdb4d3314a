import { z } from "zod";
import { describe, type ErrorCode, libraryError } from "./errors.ts";
import { shown } from "./shown.ts";

export { shown } from "./shown.ts";

/**
 * A zod `error` parameter with the message "must be EXPECTED, got WHAT CAME", so that every fault of an option or a
 * FunConfig says what was wrong, what is allowed and what came.
 */
export function must(expected: string): (issue: { readonly input?: unknown }) => string {
  return (issue) => `must be ${expected}, got ${shown(issue.input)}`;
}

/** As {@link must}, for a secret: shows only the type of the value. */
export function mustUnshown(expected: string): (issue: { readonly input?: unknown }) => string {
  return (issue) => `must be ${expected}, got ${describe(issue.input)}`;
}

/**
 * `schema` with one message for any fault inside it: for small shapes such as unions, where the faults of the branches
 * say less than the expectation as a whole.
 *
 * @param message builds the message from the value
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

/**
 * `fields` for values that `isOne` takes, with a fault for each field, and `other` for all others: a union whose faults
 * name what is wrong inside.
 */
export function either<Fields extends z.ZodType, Other extends z.ZodType>(
  isOne: (value: unknown) => boolean,
  fields: Fields,
  other: Other,
): z.ZodType<z.output<Fields> | z.output<Other>, z.input<Fields> | z.input<Other>> {
  return z.unknown().transform((value, context) => {
    const parsed = (isOne(value) ? fields : other).safeParse(value, namesKeys);
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues) {
      context.addIssue({ code: "custom", path: [...path], message, input: value });
    }
    return z.NEVER;
  }) as unknown as z.ZodType<z.output<Fields> | z.output<Other>, z.input<Fields> | z.input<Other>>;
}

/** Options of a parse that let {@link faultsOf} list the allowed keys beside an unknown one. */
export const namesKeys = {
  error(issue: z.core.$ZodRawIssue): string | undefined {
    if (issue.code !== "unrecognized_keys") return undefined;
    const { shape = {} } = (issue.inst?._zod.def ?? {}) as { readonly shape?: object };
    return unknownKeysFault(issue.keys as string[], Object.keys(shape));
  },
};

/** The fault for unknown keys, with the allowed ones: out of many, those that may have been meant. */
export function unknownKeysFault(unknown: readonly string[], allowed: readonly string[]): string {
  const listed = (keys: readonly string[]) => keys.map((key) => JSON.stringify(key)).join(", ");
  const meant = unknown.map((key) => allowed.find((other) => isNear(key, other))).filter((key) => key !== undefined);
  const isLong = allowed.length > mostListed && meant.length > 0;
  return `has unknown keys: ${listed(unknown)} (${isLong ? "nearest" : "allowed"}: ${listed(isLong ? [...new Set(meant)] : allowed)})`;
}

// Longer lists are shown only if no allowed key is similar.
const mostListed = 12;

/** Whether the two differ only in case, or by one character missing, added, wrong or swapped with its neighbour. */
function isNear(one: string, other: string): boolean {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const [restOfA, restOfB] = [a.slice(start), b.slice(start)];
  return (
    restOfA.slice(1) === restOfB.slice(1) ||
    restOfA.slice(1) === restOfB ||
    restOfA === restOfB.slice(1) ||
    (restOfA.slice(2) === restOfB.slice(2) && restOfA[0] === restOfB[1] && restOfA[1] === restOfB[0])
  );
}

/** Every fault of a failed parse as one line, by path: `rateLimiter.globalLimits[0].windowMs must be …`. */
export function faultsOf(error: z.ZodError): string[] {
  return error.issues.map((issue) => {
    const path = pathOf(issue.path);
    const text = issue.message;
    // A message may continue the path: `[0] must be …`.
    return path === "" || text.startsWith("[") ? `${path}${text}` : `${path} ${text}`;
  });
}

/**
 * Refuses what a host gave as an argument, unless `isRight`: `disconnect: id must be a string, got 5`.
 * @throws GenApiError `invalid_option`
 */
export function refuseArgument(called: string, name: string, value: unknown, isRight: boolean, expected: string): void {
  if (!isRight) throw libraryError("invalid_option", `${called}: ${name} must be ${expected}, got ${shown(value)}`);
}

/** One error for many faults. */
export function faultsError(code: ErrorCode, what: string, faults: readonly string[]) {
  return libraryError(code, `${what}: ${faults.join("; ")}`);
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}
