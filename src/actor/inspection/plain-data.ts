import { isGenApiError } from "../../core/errors.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { isThenable, whenRejected } from "../../core/foreign/thenable.ts";

/**
 * Has the last word on what is shown: called with each field's name and value. Return `undefined` to leave the field
 * out. A field is withheld if this throws or returns a promise.
 */
export type Redact = (key: string, value: unknown) => unknown;

const maxTextLength = 300;
const maxItems = 50;
const maxDepth = 5;
// In all: 50 items of 50 items each, and so on, would be millions.
const maxValues = 2_000;
const withheld = "[withheld]";

/**
 * A copy of `value` that any serialiser takes: no cycles, no classes, no functions, and bounded in length, width, depth
 * and number of values. Never throws.
 */
export function plainData(key: string, value: unknown, redact: Redact | undefined): unknown {
  return shownData(key, value, { redact, left: maxValues }, 0);
}

/** One copy under way. */
interface Copy {
  readonly redact: Redact | undefined;
  /** How many more values it may show. */
  left: number;
}

function shownData(key: string, value: unknown, copy: Copy, depth: number): unknown {
  if (--copy.left < 0) return "…";
  const { redact } = copy;
  try {
    const shown = redact === undefined ? value : redact(key, value);
    if (shown !== value) hearPromises(shown);
    if (shown === value || !isThenable(shown)) return copied(shown, copy, depth);
    // Without this, its rejection would end the process.
    whenRejected(shown);
    return withheld;
  } catch (thrown) {
    hearPromises(thrown);
    return withheld;
  }
}

/** An error as inspectors see it: never its stack, its cause or other properties. */
function plainError(error: Error, copy: Copy, depth: number): unknown {
  const { name, message } = error;
  const code = isGenApiError(error) ? error.code : (error as { code?: unknown }).code;
  return fields(typeof code === "string" ? { name, code, message } : { name, message }, copy, depth);
}

function copied(value: unknown, copy: Copy, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return shortText(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return String(value);
    case "boolean":
      return value;
    case "object":
      break;
    default:
      return undefined;
  }
  if (value === null) return null;
  if (depth >= maxDepth) return "…";
  if (value instanceof Error) return plainError(value, copy, depth);
  if (value instanceof Date) return String(value.toJSON());
  if (Array.isArray(value)) {
    const items = value.slice(0, maxItems).map((item, at) => shownData(String(at), item, copy, depth + 1) ?? null);
    return value.length > maxItems ? [...items, `… ${value.length - maxItems} more`] : items;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return fields(value, copy, depth);
  return `[${value.constructor?.name ?? "object"}]`;
}

function fields(value: object, copy: Copy, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value).slice(0, maxItems)) {
    const shownField = shownData(key, field, copy, depth + 1);
    // Plain assignment would set the prototype.
    if (shownField !== undefined && key !== "__proto__") shown[key] = shownField;
  }
  return shown;
}

/** The text, cut, without the credentials of any URL in it. */
function shortText(text: string): string {
  // Cut first to bound the search. A URL cut in the middle of its credentials still shows none of them.
  const start = text.length > 2 * maxTextLength ? text.slice(0, 2 * maxTextLength) : text;
  const safe = start.replace(/:\/\/\S*@/g, "://…@").replace(/(:\/\/[^\s?#"']*)\?[^\s"']*/g, "$1?…");
  return safe.length > maxTextLength ? `${safe.slice(0, maxTextLength)}…` : safe;
}
