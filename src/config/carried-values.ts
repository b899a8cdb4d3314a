import { isPlainObject } from "../arguments/json-value.ts";
import { describe } from "../core/errors.ts";
import { shown } from "../core/faults.ts";

// The limit of a frame between nodes, deeper than any real value.
const maxDepth = 64;

/**
 * The fault of a value that cannot travel to another node, where it goes as JSON; null if it can. In a map `undefined`
 * counts as left out.
 *
 * @param path the value's name in the fault
 */
export function jsonFault(value: unknown, path: string, depth = 0): string | null {
  switch (typeof value) {
    case "string":
    case "boolean":
      return null;
    case "number":
      if (Number.isFinite(value)) return null;
      break;
    case "object":
      if (value === null) return null;
      if (depth === maxDepth) return `${path} must have at most ${maxDepth} lists and maps within each other, got more`;
      if (Array.isArray(value)) {
        // Includes holes.
        for (let index = 0; index < value.length; index++) {
          const fault = jsonFault(value[index], `${path}[${index}]`, depth + 1);
          if (fault !== null) return fault;
        }
        return null;
      }
      if (!isPlainObject(value)) break;
      for (const [key, part] of Object.entries(value)) {
        const fault = part === undefined ? null : jsonFault(part, path === "" ? key : `${path}.${key}`, depth + 1);
        if (fault !== null) return fault;
      }
      return null;
  }
  return `${path} must be what JSON can hold, since it is sent to other nodes, got ${kindOf(value)}`;
}

/**
 * The fault of a value that `structuredClone` cannot copy, as calls copy their arguments to threads; null if it can.
 *
 * @param path the value's name in the fault
 */
export function cloneFault(value: unknown, path: string, around: ReadonlySet<unknown> = new Set()): string | null {
  try {
    structuredClone(value);
    return null;
  } catch {
    if (typeof value === "object" && value !== null) {
      const within = new Set(around).add(value);
      for (const [part, partPath] of partsOf(value, path)) {
        const fault = within.has(part) ? null : cloneFault(part, partPath, within);
        if (fault !== null) return fault;
      }
    }
    return `${path} must be what structuredClone can copy to a thread, got ${kindOf(value)}`;
  }
}

function* partsOf(value: object, path: string): Generator<readonly [unknown, string]> {
  if (Array.isArray(value)) for (const [index, part] of value.entries()) yield [part, `${path}[${index}]`];
  else if (value instanceof Map) for (const entry of value) for (const part of entry) yield [part, `${path}'s entries`];
  else if (value instanceof Set) for (const part of value) yield [part, `${path}'s values`];
  else for (const [key, part] of Object.entries(value)) yield [part, `${path}.${key}`];
}

/** The kind of a value, in a word; for objects the name of their class. */
function kindOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return shown(value);
  const kind = describe(value);
  return kind === "map" ? Object.prototype.toString.call(value).slice("[object ".length, -1) : kind;
}
