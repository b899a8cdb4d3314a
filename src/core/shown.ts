import { describe } from "./errors.ts";

// As long as the longest text that is shown; of a number with a million digits the text takes seconds to make.
const longest = 10n ** 60n;

/** A value as messages show it: short ones as JSON, longer ones by their type. */
export function shown(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "bigint" && value < longest && value > -longest) return String(value);
  if (typeof value === "string" && value.length <= 60) return JSON.stringify(value);
  if (typeof value === "boolean") return String(value);
  return describe(value);
}
