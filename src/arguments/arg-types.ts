/**
 * The types of declared arguments. All values are plain JSON; two are converted: a `datetime` becomes a `Date`, a
 * `naive_datetime` a string without its offset.
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

/** A valid argument of each type, as a client sends it and as `defaultValue` is written. */
export interface SentValues {
  string: string;
  num: number;
  boolean: boolean;
  uuid: string;
  datetime: string;
  naive_datetime: string;
  list: readonly unknown[];
  list_string: readonly string[];
  list_num: readonly number[];
  list_uuid: readonly string[];
  list_map: readonly Readonly<Record<string, unknown>>[];
  map: Readonly<Record<string, unknown>>;
  any: unknown;
}

interface NullableOptions<Name extends ArgTypeName> {
  /** The type of a valid argument. */
  readonly type: Name;
  /** Whether null is accepted, and passed if the argument is missing without a default. @default false */
  readonly allowNil: boolean | undefined;
  /** The value for a missing argument, written as a client would send it: a `datetime` as a string. */
  readonly defaultValue?: SentValues[Name] | null | undefined;
}

interface RequiredOptions<Name extends ArgTypeName> {
  /** The type of a valid argument. */
  readonly type: Name;
  /** Whether null is accepted, and passed if the argument is missing without a default. @default false */
  readonly allowNil?: false | undefined;
  /** The value for a missing argument, written as a client would send it: a `datetime` as a string. */
  readonly defaultValue?: SentValues[Name] | undefined;
}

interface StringLimits {
  /** The most bytes, counted as UTF-8. @default 3000 */
  readonly maxBytes?: number | undefined;
}

interface ListLimits {
  /** The most items of the argument itself, not counting nested ones. @default 1000 */
  readonly maxItems?: number | undefined;
}

interface StringListLimits extends ListLimits {
  /** The most bytes of one item, counted as UTF-8. @default 3000 */
  readonly maxItemBytes?: number | undefined;
}

interface MapLimits extends ListLimits {
  /** Keys that must be present and not null. @default none */
  readonly required?: readonly string[] | undefined;
  /** The only keys allowed. @default every key */
  readonly accept?: readonly string[] | undefined;
}

/** The options that only some types have. */
interface Limits {
  string: StringLimits;
  list: ListLimits;
  list_string: StringListLimits;
  list_num: ListLimits;
  list_uuid: ListLimits;
  list_map: ListLimits;
  map: MapLimits;
}

type OptionsOf<Name extends ArgTypeName> =
  // In this order, because TypeScript explains a mistake by the last member.
  (NullableOptions<Name> | RequiredOptions<Name>) & (Name extends keyof Limits ? Limits[Name] : unknown);

/**
 * An argument's type with its options. All types have `allowNil` and `defaultValue`; `string` has `maxBytes`, lists and
 * `map` have `maxItems`, `list_string` has `maxItemBytes`, `map` has `required` and `accept`.
 */
export type ArgOptions = { [Name in ArgTypeName]: OptionsOf<Name> }[ArgTypeName];

/** The options of any type: a view of {@link ArgOptions} after their check. */
export interface CheckedArgOptions extends StringLimits, StringListLimits, MapLimits {
  readonly type: ArgTypeName;
  readonly allowNil?: boolean | undefined;
  readonly defaultValue?: unknown;
}

/** The declaration of an argument: the name of its type, or its options. */
export type ArgType = ArgTypeName | ArgOptions;

/** The declared arguments of a function, by name. */
export type ArgTypes = Readonly<Record<string, ArgType>>;

/**
 * In the place of declared arguments: the function has a schema of its own for them, which runs where the function
 * runs. Everybody else knows only that they are one map.
 */
export type SchemaArguments = "schema";

/** The order of a function's arguments, or "map": all of them as one plain object. */
export type ArgOrders = readonly string[] | "map";

/** The most bytes of a string, and of a string in a `list_string`, unless the declaration says otherwise. */
export const defaultMaxBytes = 3_000;

/** The most items of a list or map, unless the declaration says otherwise. */
export const defaultMaxItems = 1_000;

/** Keys refused at every depth, and as names of arguments: writing them can reach an object's prototype. */
export function isForbiddenKey(key: string): boolean {
  return key === "__proto__" || key === "constructor" || key === "prototype";
}
