import { isPlainObject } from "../arguments/json-value.ts";
import { describe } from "../core/errors.ts";
import { shown } from "../core/faults.ts";
import { kindFault, kindOfFunction } from "../execution/function-kind.ts";
import { holdsHandlers } from "../execution/load-function.ts";
import { funConfigSchema, validateFunConfig } from "./fun-config.ts";

// Fields that the definition itself sets: the service, and that the handler takes all arguments as one object.
const ownFields = new Set(["service", "mfa", "argTypes", "argOrders"]);
const fields = ["handler", "args", ...Object.keys(funConfigSchema.shape).filter((name) => !ownFields.has(name))];

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
  ];
  if (unknown.length > 0) return faults;
  // Making a FunConfig inspects the handler.
  const config = configOf(
    name,
    typeof handler === "function" ? definition : { ...definition, handler: () => undefined },
  );
  const validation = config === null ? null : validateFunConfig(config);
  if (validation === null || validation.ok) return faults;
  return [...faults, ...validation.faults.map((fault) => `${name}.${fault.replace(/^argTypes/, "args")}`)];
}

/** As {@link shown}, with an explanation for values that are often mistaken for a definition. */
function cameAs(value: unknown): string {
  if (typeof value === "function") return kindOfFunction(value) === "class" ? "a class" : "a function";
  if (holdsHandlers(value)) return `the service ${shown(value.service)}`;
  if (describe(value) === "map" && !isPlainObject(value))
    return `a ${Object.prototype.toString.call(value).slice(8, -1)}`;
  return shown(value);
}
