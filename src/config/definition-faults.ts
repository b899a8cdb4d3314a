import { isPlainObject } from "../arguments/json-value.ts";
import { describe } from "../core/errors.ts";
import { shown } from "../core/faults.ts";
import { kindFault, kindOfFunction } from "../execution/function-kind.ts";
import { checkName, holdsHandlers } from "../execution/load-function.ts";
import { funConfigSchema, validateFunConfig } from "./fun-config.ts";
import { isStandardSchema } from "./standard-schema.ts";

// Fields that the definition itself sets: the service, and that the handler takes all arguments as one object.
const ownFields = new Set(["service", "mfa", "argTypes", "argOrders"]);
const schemaFields = ["args", "result", "chunk", "checkResults"];
const fields = [
  "handler",
  ...schemaFields,
  ...Object.keys(funConfigSchema.shape).filter((name) => !ownFields.has(name)),
];

/**
 * The faults in the definitions given to `defineService`, each with the function and the field.
 *
 * @param configOf the FunConfig that a definition makes
 */
export function definitionFaults(
  service: unknown,
  url: unknown,
  functions: unknown,
  configOf: (name: string, definition: object) => unknown,
): string[] {
  const faults: string[] = [];
  if (typeof service !== "string" || service === "") {
    faults.push(`the service's name must be a non-empty string, got ${shown(service)}`);
  }
  if (url !== null && !((typeof url === "string" || url instanceof URL) && URL.canParse(String(url)))) {
    faults.push(`the second argument must be import.meta.url, the URL of the module, got ${shown(url)}`);
  }
  if (!isPlainObject(functions) || holdsHandlers(functions)) {
    return [...faults, `its functions must be a map of definitions, got ${cameAs(functions)}`];
  }
  // A wrong name has its fault already, and FunConfigs would repeat it.
  const isNamed = faults.length === 0;
  for (const [name, definition] of Object.entries(functions)) {
    if (Object.hasOwn(functions, checkName(name))) {
      faults.push(`the key ${shown(checkName(name))} is taken: it is what the check of ${name}'s arguments is called`);
    }
    faults.push(...functionFaults(name, definition, isNamed ? configOf : () => null));
  }
  return faults;
}

function functionFaults(
  name: string,
  definition: unknown,
  configOf: (name: string, definition: object) => unknown,
): string[] {
  if (name === "") return ["the key of a function must be a non-empty string, got an empty one"];
  if (!isPlainObject(definition) || holdsHandlers(definition)) {
    const advice = typeof definition === "function" ? `: write ${name}: { handler: … }` : "";
    return [`${name} must be a definition with a handler, got ${cameAs(definition)}${advice}`];
  }
  const unknown = Object.keys(definition).filter((field) => !fields.includes(field));
  const { handler, responseType = "sync" } = definition;
  const kind = typeof handler === "function" ? kindFault(kindOfFunction(handler), String(responseType)) : null;
  const faults = [
    ...unknown.map((field) => `${name}.${field} is not a field of a definition; fields are ${fields.join(", ")}`),
    ...(typeof handler === "function" ? [] : [`${name}.handler must be a function, got ${cameAs(handler)}`]),
    ...(kind === null ? [] : [`${name}.handler ${kind}`]),
    ...schemaFaultsOf(name, definition),
  ];
  if (unknown.length > 0) return faults;
  // Making a FunConfig inspects the handler.
  const config = configOf(
    name,
    typeof handler === "function" ? definition : { ...definition, handler: () => undefined },
  );
  const validation = config === null ? null : validateFunConfig(config);
  if (validation === null || validation.ok) return faults;
  if (typeof definition.args === "string") return faults;
  return [...faults, ...validation.faults.map((fault) => `${name}.${worded(fault)}`)];
}

/** The fault of a FunConfig, in the words of definitions. */
function worded(fault: string): string {
  return fault
    .replace(/^argTypes must be a map from names to types, "schema" or null/, `args must be ${argsExpected}`)
    .replace(/^argTypes/, "args");
}

const argsExpected = "a map from names to types, or a Standard Schema";

/** The faults of the schemas of what a function takes and answers. */
function schemaFaultsOf(name: string, definition: Readonly<Record<string, unknown>>): string[] {
  const { responseType, checkResults } = definition;
  const isStream = responseType === "stream";
  const { args } = definition;
  // In a FunConfig a word stands for a schema, but only a schema can be given.
  const ofArgs = typeof args === "string" ? [`${name}.args must be ${argsExpected}, got ${shown(args)}`] : [];
  const faults = ["result", "chunk"].flatMap((field) => {
    const schema = definition[field];
    if (schema === undefined) return [];
    const at = `${name}.${field}`;
    if (!isStandardSchema(schema)) return [`${at} must be a Standard Schema, as zod makes them, got ${shown(schema)}`];
    if (field === "chunk") return isStream ? [] : [`${at} must be left out of what is no stream`];
    return isStream || responseType === "none" ? [`${at} must be left out of what answers with no result`] : [];
  });
  faults.push(...ofArgs);
  if (checkResults === undefined || typeof checkResults === "boolean") return faults;
  return [...faults, `${name}.checkResults must be true or false, got ${shown(checkResults)}`];
}

/** As {@link shown}, with an explanation for values that are often mistaken for a definition. */
function cameAs(value: unknown): string {
  if (typeof value === "function") return kindOfFunction(value) === "class" ? "a class" : "a function";
  if (holdsHandlers(value)) return `the service ${shown(value.service)}`;
  if (describe(value) === "map" && !isPlainObject(value))
    return `a ${Object.prototype.toString.call(value).slice(8, -1)}`;
  return shown(value);
}
