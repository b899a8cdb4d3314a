import { createHash } from "node:crypto";

/** Tells arguments apart: equal maps have one digest, whatever the order of their names. */
export function digestOf(args: unknown): string {
  let text: string;
  try {
    text = canonical(args);
  } catch {
    // A host gave what JSON cannot hold: the check of arguments refuses it.
    text = "";
  }
  return createHash("sha256").update(text).digest("base64url");
}

function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const map = value as Readonly<Record<string, unknown>>;
  const members = Object.keys(map)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(map[name])}`);
  return `{${members.join(",")}}`;
}
