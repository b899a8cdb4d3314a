/**
 * The rules of arguments once more, as plainly as they can be said and without a look at speed: what the compiled
 * validators are compared with. Shares no code with them.
 */
import type { ArgTypeName, ArgTypes } from "../../src/arguments/declarations.ts";

/** Any of the options, whatever the type. */
interface Declared {
  readonly type: ArgTypeName;
  readonly maxBytes?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly maxItemBytes?: number | undefined;
  readonly allowNil?: boolean | undefined;
  readonly defaultValue?: unknown;
  readonly required?: readonly string[] | undefined;
  readonly accept?: readonly string[] | undefined;
}

export type NaiveOutcome = { passed: unknown[] } | { refused: string };

export function naiveArguments(
  argTypes: ArgTypes | null,
  argOrders: readonly string[] | "map" | null,
  args: Record<string, unknown>,
): NaiveOutcome {
  const names = Object.keys(argTypes ?? {});
  if (argTypes === null) return { passed: [] };
  if (names.length === 0) return { passed: argOrders === "map" ? [{}] : [] };
  const order = argOrders === null || argOrders === "map" || argOrders.length === 0 ? names : argOrders;
  const values = new Map<string, unknown>();
  for (const name of order) {
    const type = argTypes[name];
    const options: Declared = typeof type === "string" ? { type } : type!;
    const sent = Object.entries(args).find(([key]) => key === name);
    if (sent === undefined) {
      if (options.defaultValue !== undefined) values.set(name, converted(options.type, options.defaultValue));
      else if (options.allowNil === true) values.set(name, null);
      else return { refused: name };
    } else if (sent[1] === null && options.allowNil === true) values.set(name, null);
    else if (allowed(options, sent[1])) values.set(name, converted(options.type, sent[1]));
    else return { refused: name };
  }
  const extra = Object.keys(args).find((key) => !names.includes(key));
  if (extra !== undefined) return { refused: extra };
  return { passed: argOrders === "map" ? [Object.fromEntries(values)] : [...values.values()] };
}

function allowed(options: Declared, value: unknown): boolean {
  const maxItems = options.maxItems ?? 1000;
  const listOf = (item: (value: unknown) => boolean) =>
    Array.isArray(value) && value.length <= maxItems && value.every((each) => item(each));
  switch (options.type) {
    case "string":
      return isString(value, options.maxBytes ?? 3000);
    case "num":
      return isNum(value);
    case "boolean":
      return value === true || value === false;
    case "uuid":
      return isUuid(value);
    case "datetime":
      return dateParts(value)?.offset !== undefined;
    case "naive_datetime":
      return dateParts(value) !== undefined;
    case "list":
      return listOf(() => true) && isHarmless(value);
    case "list_string":
      return listOf((each) => isString(each, options.maxItemBytes ?? 3000));
    case "list_num":
      return listOf(isNum);
    case "list_uuid":
      return listOf(isUuid);
    case "list_map":
      return listOf(isMap) && isHarmless(value);
    case "map": {
      if (!isMap(value) || !isHarmless(value)) return false;
      const keys = Object.keys(value);
      const { required = [], accept } = options;
      return (
        keys.length <= maxItems &&
        required.every((key) => Object.entries(value).some(([k, v]) => k === key && v !== null)) &&
        (accept === undefined || keys.every((key) => accept.includes(key)))
      );
    }
    case "any":
      return value !== null && isHarmless(value);
  }
}

function converted(type: string, value: unknown): unknown {
  if (type === "datetime" && typeof value === "string") {
    const { date, time, fraction, offset } = dateParts(value)!;
    const ahead = offset === "Z" ? 0 : Number(offset!.slice(0, 3)) * 60 + Number(`${offset![0]}${offset!.slice(-2)}`);
    return new Date(Date.parse(`${date}T${time}.${`${fraction}000`.slice(0, 3)}Z`) - ahead * 60_000);
  }
  if (type === "naive_datetime" && typeof value === "string") return value.replace(/(?:z|[+-]\d\d:\d\d)$/i, "");
  return value;
}

function isString(value: unknown, maxBytes: number): boolean {
  return typeof value === "string" && new TextEncoder().encode(value).length <= maxBytes;
}

function isNum(value: unknown): boolean {
  return typeof value === "number" && value > -Infinity && value < Infinity;
}

function isUuid(value: unknown): boolean {
  if (typeof value !== "string") return false;
  const parts = value.split("-");
  const lengths = parts.map((part) => part.length).join("-");
  return (
    (lengths === "8-4-4-4-12" || lengths === "32") &&
    [...parts.join("")].every((c) => "0123456789abcdefABCDEF".includes(c))
  );
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Only offsets as ±HH:MM, which is all that the test writes. */
function dateParts(value: unknown): { date: string; time: string; fraction: string; offset?: string } | undefined {
  if (typeof value !== "string") return undefined;
  const offset = /(?:Z|[+-]\d\d:\d\d)$/.exec(value)?.[0];
  const rest = offset === undefined ? value : value.slice(0, -offset.length);
  const [whole = "", fraction, ...moreFractions] = rest.split(".");
  const [date = "", time = "", ...more] = whole.split("T");
  const digits = (text: string, form: string) => text.replace(/\d/g, "9") === form;
  if (more.length > 0 || moreFractions.length > 0 || !digits(date, "9999-99-99") || !digits(time, "99:99:99"))
    return undefined;
  if (fraction !== undefined && (fraction === "" || [...fraction].some((c) => c < "0" || c > "9"))) return undefined;
  const [year = 0, month = 0, day = 0] = date.split("-").map(Number);
  const [hour = 0, minute = 0, second = 0] = time.split(":").map(Number);
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  if (day < 1 || day > days || hour > 23 || minute > 59 || second > 59) return undefined;
  if (offset !== undefined && offset !== "Z" && (Number(offset.slice(1, 3)) > 23 || Number(offset.slice(4)) > 59))
    return undefined;
  return { date, time, fraction: fraction ?? "", ...(offset === undefined ? {} : { offset }) };
}

/** No forbidden key, no infinite number, at most 32 lists and maps within each other. */
function isHarmless(value: unknown): boolean {
  let deepest = 0;
  let harmless = true;
  const todo: [unknown, number][] = [[value, 1]];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [each, depth] = next;
    if (each === Infinity || each === -Infinity) harmless = false;
    if (typeof each !== "object" || each === null) continue;
    deepest = Math.max(deepest, depth);
    for (const [key, inner] of Object.entries(each)) {
      if (!Array.isArray(each) && ["__proto__", "prototype", "constructor"].includes(key)) harmless = false;
      todo.push([inner, depth + 1]);
    }
  }
  return harmless && deepest <= 32;
}
