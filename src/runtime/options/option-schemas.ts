import { z } from "zod";
import { described, must, mustUnshown } from "../../core/faults.ts";

/** A non-empty string. */
export function text() {
  return z.string({ error: must("a non-empty string") }).min(1, { error: must("a non-empty string") });
}

/** A name that gateways and nodes tell each other. */
export function peerName() {
  const error = must("a string of 1 to 255 characters");
  return z.string({ error }).min(1, { error }).max(255, { error });
}

/** A non-empty string that no message may show. */
export function secret() {
  const expected = "a non-empty secret";
  return z.string({ error: mustUnshown(expected) }).min(1, { error: `must be ${expected}, got an empty string` });
}

/** A boolean. */
export function flag() {
  return z.boolean({ error: must("true or false") });
}

/** A whole number, not below `min`. */
export function count(min: number) {
  return described(z.int().min(min), `a whole number of at least ${min}`);
}

export const positive = count(1);

export const milliseconds = described(z.int().min(1), "a whole number of milliseconds above 0");

/** A function of the host's, described as `expected`. */
export function fun<Type>(expected: string) {
  return z.custom<Type>((value) => typeof value === "function", { error: must(expected) });
}

/** A nested object that may be left out: its own defaults apply. */
export function section<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((value) => value ?? {}, schema);
}

/** A value that a check of its own, which lists faults, looks at. */
export function checked<Type>(faultsOf: (value: Type) => readonly string[]) {
  return z.custom<Type>().superRefine((value, context) => {
    for (const message of faultsOf(value)) context.addIssue({ code: "custom", message, input: value });
  });
}

/** What is attached to a program, from an entry of the package that few need. */
export function adapter<Type>(expected: string) {
  const isAdapter = (value: unknown) => typeof (value as { attach?: unknown } | null)?.attach === "function";
  return z.custom<Type>(isAdapter, { error: must(expected) }).optional();
}
