import { describe } from "../core/errors.ts";
import { type ArgTypeName, argTypeNames, type CheckedArgOptions, isForbiddenKey } from "./arg-types.ts";
import { clip, Fault, quoted } from "./fault.ts";
import { beginChecks, isPlainObject } from "./json-value.ts";
import { readerOf } from "./readers.ts";

export type { ArgOptions, ArgOrders, ArgType, ArgTypeName, ArgTypes, SchemaArguments } from "./arg-types.ts";

const lists: ArgTypeName[] = ["list", "list_string", "list_num", "list_uuid", "list_map"];

/** An option: the types that allow it, and a check that returns what is wrong with a value, or null. */
interface Option {
  readonly appliesTo: readonly ArgTypeName[];
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

const limit = { expected: "a whole number of at least 1", accepts: (value: unknown) => isWhole(value) && value >= 1 };
const keys = { expected: "a list of different keys, none of them forbidden", accepts: isKeyList };

const optionTable = new Map<string, Option>([
  ["maxBytes", { ...limit, appliesTo: ["string"] }],
  ["maxItems", { ...limit, appliesTo: [...lists, "map"] }],
  ["maxItemBytes", { ...limit, appliesTo: ["list_string"] }],
  ["allowNil", { appliesTo: argTypeNames, expected: "true or false", accepts: (v) => typeof v === "boolean" }],
  ["required", { ...keys, appliesTo: ["map"] }],
  ["accept", { ...keys, appliesTo: ["map"] }],
]);

/**
 * Every fault of a FunConfig's `argTypes` and `argOrders`, one message each, beginning with the path of the wrong
 * field. Accepts anything and never throws.
 *
 * @returns an empty list if {@link compileArguments} accepts them
 */
export function checkArgumentDeclarations(argTypes: unknown, argOrders: unknown): string[] {
  if (argTypes === null || argTypes === undefined) {
    if (argOrders === "map") return ['argOrders "map" needs argTypes: without them no argument is passed'];
    return checkOrders([], argOrders);
  }
  if (argTypes === "schema") {
    if (argOrders === "map") return [];
    return [`argOrders must be "map" with argTypes "schema", which tells no order, got ${shown(argOrders)}`];
  }
  if (!isPlainObject(argTypes))
    return [`argTypes must be a map from names to types, "schema" or null, got ${shown(argTypes)}`];
  const names = Object.keys(argTypes);
  const faults = names.flatMap((name) => checkArgument(`argTypes.${clip(name)}`, name, argTypes[name]));
  return [...faults, ...checkOrders(names, argOrders)];
}

function checkArgument(path: string, name: string, declaration: unknown): string[] {
  if (name === "") return ["argTypes must not have an argument whose name is empty"];
  if (isForbiddenKey(name)) return [`${path} is a forbidden name: it could reach an object's prototype`];
  if (typeof declaration === "string") return checkType(path, declaration);
  if (!isPlainObject(declaration))
    return [`${path} must be a type's name or a map with \`type\`, got ${describe(declaration)}`];
  const typeFaults = checkType(`${path}.type`, declaration.type);
  const optionFaults = Object.entries(declaration).flatMap(([option, value]) =>
    // An unknown type already has its fault; which options it allows is unknown too.
    checkOption(path, option, value, typeFaults.length === 0 ? (declaration.type as ArgTypeName) : undefined),
  );
  const faults = [...typeFaults, ...optionFaults];
  return faults.length > 0 ? faults : checkTogether(path, declaration as unknown as CheckedArgOptions);
}

function checkType(path: string, type: unknown): string[] {
  if (argTypeNames.includes(type as ArgTypeName)) return [];
  return [`${path} must be one of ${argTypeNames.join(", ")}, got ${shown(type)}`];
}

function checkOption(path: string, name: string, value: unknown, type: ArgTypeName | undefined): string[] {
  if (name === "type" || name === "defaultValue" || value === undefined) return [];
  const option = optionTable.get(name);
  if (option === undefined) {
    return [
      `${path}.${clip(name)} is not an option; options are type, defaultValue, ${[...optionTable.keys()].join(", ")}`,
    ];
  }
  if (type !== undefined && !option.appliesTo.includes(type)) {
    return [`${path}.${name} does not apply to ${type}, only to ${option.appliesTo.join(", ")}`];
  }
  return option.accepts(value) ? [] : [`${path}.${name} must be ${option.expected}, got ${shown(value)}`];
}

/** Checks that need several options, once each option is right by itself. */
function checkTogether(path: string, options: CheckedArgOptions): string[] {
  const { required = [], accept } = options;
  const impossible = accept === undefined ? [] : required.filter((key) => !accept.includes(key));
  if (impossible.length > 0) return [`${path}.required names keys that accept does not: ${quoted(impossible)}`];
  if (options.maxItems !== undefined && required.length > options.maxItems) {
    return [`${path}.required has ${required.length} keys, more than maxItems ${options.maxItems}`];
  }
  if (options.defaultValue === undefined) return [];
  beginChecks();
  const read = readerOf(options)(options.defaultValue);
  if (!(read instanceof Fault)) return [];
  return [`${path}.defaultValue${read.path} must be ${read.expected}, got ${read.came}`];
}

function checkOrders(names: readonly string[], argOrders: unknown): string[] {
  if (argOrders === null || argOrders === undefined || (Array.isArray(argOrders) && argOrders.length === 0)) {
    const integerLike = names.filter((name) => /^(?:0|[1-9]\d*)$/.test(name));
    if (integerLike.length === 0) return [];
    return [`argOrders must be given: JavaScript does not keep the order of names like ${quoted(integerLike)}`];
  }
  if (argOrders === "map") return [];
  if (!Array.isArray(argOrders)) return [`argOrders must be a list of names or "map", got ${shown(argOrders)}`];
  const known = new Set(names);
  const named = new Set<string>();
  const faults = argOrders.flatMap((name: unknown, index) => {
    if (typeof name !== "string" || !known.has(name)) {
      return [`argOrders[${index}] must be the name of an argument in argTypes, got ${shown(name)}`];
    }
    if (named.has(name)) return [`argOrders[${index}] names ${quoted([name])} a second time`];
    named.add(name);
    return [];
  });
  const omitted = names.filter((name) => !named.has(name));
  return omitted.length === 0
    ? faults
    : [...faults, `argOrders must name every argument, but omits ${quoted(omitted)}`];
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isKeyList(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  return value.every((key) => typeof key === "string" && !isForbiddenKey(key)) && new Set(value).size === value.length;
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(clip(value));
  return typeof value === "number" || typeof value === "boolean" ? String(value) : describe(value);
}
