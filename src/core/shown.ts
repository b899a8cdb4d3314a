import { describe } from "./errors.ts";

/** A value as messages show it: short ones as JSON, longer ones by their type. */
export function shown(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value === "string" && value.length <= 60) return JSON.stringify(value);
  if (typeof value === "boolean") return String(value);
  return describe(value);
}
