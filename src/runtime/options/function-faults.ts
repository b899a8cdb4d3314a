import { types } from "node:util";
import { holdsService } from "../../config/define-service.ts";
import { type FunConfigInput, validateFunConfig } from "../../config/fun-config.ts";
import type { Service } from "../../config/service-types.ts";
import { shown } from "../../core/faults.ts";
import { isMap } from "../../core/is-map.ts";
import { unreadableFault } from "../../core/unreadable.ts";

/** What else a program asks of a FunConfig: what is wrong with one that is valid, each fault with its field. */
export type FurtherFaults = (config: FunConfigInput) => readonly string[];

/** What is wrong inside the given FunConfigs and services, and between them; each with its path. */
export function functionFaults(
  { functions, modules }: Readonly<Record<string, unknown>>,
  furtherFaults: FurtherFaults = () => [],
): string[] {
  if (!Array.isArray(functions)) return [];
  const known = new KnownFunctions();
  return functions.flatMap((given: unknown, index) => {
    const path = `functions[${index}]`;
    try {
      // The same object twice is the same functions.
      if (functions.indexOf(given) < index) return [];
      const other = otherThing(given);
      if (other !== null) return [`${path} must be a FunConfig or a service, got ${other}`];
      if (!holdsService(given)) return configFaults(path, given, known, furtherFaults);
      const faults = serviceFaults(path, given, modules, known);
      // Keys and FunConfigs have the same order.
      const keys = [...given.handlers.keys()];
      return [
        ...faults,
        ...given.functions.flatMap((config, at) => configFaults(`${path} ${keys[at]}`, config, known, furtherFaults)),
      ];
    } catch (thrown) {
      return [`${path} ${unreadableFault(given, thrown)}`];
    }
  });
}

/** What was given in the place of a service that is in it, and what to write instead; null for anything else. */
function otherThing(given: unknown): string | null {
  if (!isMap(given)) return shown(given);
  if (types.isPromise(given)) return "a promise: await it";
  // Those of vitest are objects that say so.
  if (!types.isModuleNamespaceObject(given) && given[Symbol.toStringTag as never] !== "Module") return null;
  const exported = Object.entries(given).find(([, value]) => holdsService(value))?.[0];
  return exported === undefined ? "a module that exports no service" : `a module: give its export ${shown(exported)}`;
}

/** Which functions the list has had already, and where. */
class KnownFunctions {
  /** By service and key: the handlers of services. */
  readonly handlers = new Map<string, { readonly path: string; readonly file: string; readonly run: unknown }>();
  /** By service, request type and version. */
  readonly configs = new Map<string, string>();
}

function configFaults(
  path: string,
  value: unknown,
  { configs }: KnownFunctions,
  furtherFaults: FurtherFaults,
): string[] {
  const validation = validateFunConfig(value);
  if (!validation.ok) return validation.faults.map((fault) => `${path}: ${fault}`);
  const faults = furtherFaults(value as FunConfigInput).map((fault) => `${path}: ${fault}`);
  const { service, requestType, version } = validation.config;
  const key = JSON.stringify([service, requestType, version]);
  const other = configs.get(key);
  if (other === undefined) configs.set(key, path);
  else {
    const named = `${service}.${requestType}${version === null ? "" : ` ${version}`}`;
    faults.push(`${path}: requestType and version are those of ${other} too: ${named}`);
  }
  return faults;
}

/** A service whose module nobody names, and functions that another service of the same name has. */
function serviceFaults(path: string, given: Service, modules: unknown, { handlers }: KnownFunctions): string[] {
  const { service, url } = given;
  const named = Object(modules) as Readonly<Record<string, unknown>>;
  const file = url ?? (Object.hasOwn(named, service) ? String(named[service]) : null);
  const name = JSON.stringify(service);
  if (file === null) {
    return [
      `${path} is the service ${name} without a module: give defineService its import.meta.url, or add modules[${name}]`,
    ];
  }
  return [...given.handlers].flatMap(([key, run]) => {
    const id = JSON.stringify([service, key]);
    const other = handlers.get(id);
    if (other === undefined) handlers.set(id, { path, file, run });
    if (other === undefined || other.run === run) return [];
    const problem = `the service ${name} of ${other.path} (${other.file}) has a function ${shown(key)} too`;
    return [`${path} ${key} (${file}): ${problem}: give one of them another key, and \`requestType: ${shown(key)}\``];
  });
}
