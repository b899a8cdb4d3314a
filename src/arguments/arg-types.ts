/**
 * The types an argument can be declared with. All values are what JSON can carry; two are read further: a `datetime`
 * becomes a `Date`, a `naive_datetime` a string without its offset.
 */
export const argTypeNames = [
  "string",
  "num",
  "boolean",
  "uuid",
  "datetime",
  "naive_datetime",
  "list",
  "list_string",
  "list_num",
  "list_uuid",
  "list_map",
  "map",
  "any",
] as const;

/** The name of an argument's type. */
export type ArgTypeName = (typeof argTypeNames)[number];

/** An argument's type with its limits. */
export interface ArgOptions {
  /** What a valid argument is. */
  readonly type: ArgTypeName;
  /** `string` only: the most bytes, counted as UTF-8. @default 3000 */
  readonly maxBytes?: number | undefined;
  /** Lists and `map` only: the most items of the argument itself, not of what is nested in it. @default 1000 */
  readonly maxItems?: number | undefined;
  /** `list_string` only: the most bytes of one item, counted as UTF-8. @default 3000 */
  readonly maxItemBytes?: number | undefined;
  /** Whether null may be sent, and is passed when the argument is missing and has no default. @default false */
  readonly allowNil?: boolean | undefined;
  /** What is passed when the argument is missing; written as a client would send it, so a `datetime` as a string. */
  readonly defaultValue?: unknown;
  /** `map` only: keys that must be present and not null. @default none */
  readonly required?: readonly string[] | undefined;
  /** `map` only: the only keys allowed. @default every key */
  readonly accept?: readonly string[] | undefined;
}

/** How an argument is declared: by its type's name alone, or with options. */
export type ArgType = ArgTypeName | ArgOptions;

/** The declared arguments of a function, by name. */
export type ArgTypes = Readonly<Record<string, ArgType>>;

/** The order in which a function takes its arguments, or "map": all of them as one plain object. */
export type ArgOrders = readonly string[] | "map";

/** The most bytes of a string, and of a string in a `list_string`, where the declaration names no other. */
export const defaultMaxBytes = 3_000;

/** The most items of a list or map where the declaration names no other. */
export const defaultMaxItems = 1_000;

/** Keys refused at every depth, and as names of arguments: writing them can reach an object's prototype. */
export function isForbiddenKey(key: string): boolean {
  return key === "__proto__" || key === "constructor" || key === "prototype";
}
