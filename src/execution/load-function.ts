import { types } from "node:util";
import { libraryError, messageOf, toError } from "../core/errors.ts";

/** A user's function, as the gateway calls it. */
export type ServiceFunction = (...args: unknown[]) => unknown;

/** Location of a user's function. */
export interface FunctionPlace {
  /** The URL of the ES or CommonJS module. */
  readonly module: string;
  /**
   * The module's name in FunConfigs: handlers of a service of this name take precedence over the module's other
   * exports.
   */
  readonly moduleName: string;
  /** The function's name in the module. */
  readonly function: string;
  /** Whether it is a handler of the service `moduleName`, which the program has: nothing else of this name is meant. */
  readonly ofService: boolean;
}

/**
 * A function that was loaded: an object around the function, since a promise cannot resolve with a user's
 * function that has a `then`. It has no prototype, because a user's module may give Object's prototype a `then` as
 * well.
 */
export interface LoadedFunction {
  readonly run: ServiceFunction;
}

// The key under which `defineService` keeps its handlers. A global symbol, because the definition may come from another
// copy of the package.
const handlersKey = Symbol.for("gen-api.service-handlers");

/** An object with handlers by function name: the result of `defineService`. */
export interface HandlerHolder {
  /** The service's name. */
  readonly service: string;
  /** The functions, by name. */
  readonly handlers: ReadonlyMap<string, ServiceFunction>;
  /** The checks of arguments by schemas, by {@link checkName}. */
  readonly checks?: ReadonlyMap<string, ServiceFunction>;
}

/** Under which name the check of a handler's arguments is found in its module; no handler may have it. */
export function checkName(handler: string): string {
  return `${handler} (args)`;
}

/** Marks `holder` so that {@link loadFunction} finds its handlers when its module exports it. */
export function markHandlers<Holder extends HandlerHolder>(holder: Holder): Holder {
  Object.defineProperty(holder, handlersKey, { value: true });
  return holder;
}

/** Whether `value` was marked by {@link markHandlers}; a proxy never is. */
export function holdsHandlers(value: unknown): value is HandlerHolder {
  return typeof value === "object" && value !== null && !types.isProxy(value) && handlersKey in value;
}

/**
 * Imports the module of a function and finds the function there. It searches the module's exports, the own properties
 * of its default export, and those of that export's `default`: the default export of a CommonJS module is its
 * `module.exports`, whose `default` is what compilers make of `export default`. In all of these, the first match of:
 *
 * 1. the handler of a `defineService` service that has the module's name,
 * 2. a function of this name,
 * 3. the handler of any other service, unless one has the module's name.
 *
 * A handler of a service that the program has is only the first: were it not exported, another's code would run under
 * its permissions and limits.
 *
 * @param importing imports the module, which errors call by its URL
 * @throws GenApiError `module_unreadable` when the import fails; `function_missing` when there is no such function, or
 * several handlers and no rule to choose one
 */
export async function loadFunction(place: FunctionPlace, importing = importUrl): Promise<LoadedFunction> {
  const namespace = await importModule(place.module, importing);
  let found: ServiceFunction | string;
  try {
    found = findFunction(exportsOf(namespace), place);
  } catch (thrown) {
    throw unreadable(place.module, "cannot be read", thrown);
  }
  if (typeof found === "function") return Object.assign(Object.create(null), { run: found });
  throw libraryError("function_missing", found);
}

/** The objects whose own properties a module offers, outermost first. */
interface Exports {
  readonly scopes: readonly object[];
  readonly holders: readonly HandlerHolder[];
}

function exportsOf(namespace: object): Exports {
  const scopes: object[] = [];
  const holders: HandlerHolder[] = [];
  for (let scope: unknown = namespace; isScope(scope) && scopes.length < 3; scope = own(scope, "default")) {
    if (holdsHandlers(scope)) break;
    scopes[scopes.length] = scope;
    const holding = scope;
    Object.keys(holding).forEach((name) => {
      const holder = holderIn(holding, name);
      if (holder !== null && !holders.includes(holder)) holders[holders.length] = holder;
    });
  }
  return { scopes, holders };
}

function holderIn(scope: object, name: string): HandlerHolder | null {
  try {
    const value = own(scope, name);
    return holdsHandlers(value) ? value : null;
  } catch {
    // An export whose getter throws is not a service, and does not affect its neighbours.
    return null;
  }
}

/** The function, or why there is none. */
function findFunction({ scopes, holders }: Exports, place: FunctionPlace): ServiceFunction | string {
  const { module, moduleName, function: name, ofService } = place;
  const ofName = handlersOf(holders, name, (holder) => holder.service === moduleName);
  const handler = ofName[0];
  if (ofName.length > 1) {
    return `The module ${module} exports several services "${moduleName}" with a function "${name}": give one another key, and \`requestType: "${name}"\``;
  }
  if (handler !== undefined) return handler.run;
  if (ofService) {
    const problem = `does not export the service "${moduleName}" with a function "${name}", so that threads cannot find it`;
    return `The module ${module} ${problem}: export it, alone or in its default export; the module exports ${listed(scopes, holders)}`;
  }
  for (let at = 0; at < scopes.length; at++) {
    const value = own(scopes[at] as object, name);
    if (typeof value === "function") return value as ServiceFunction;
  }
  const isService = holders.some(({ service }) => service === moduleName);
  const ofOthers = isService ? [] : handlersOf(holders, name, () => true);
  const other = ofOthers[0];
  if (other === undefined)
    return `The module ${module} has no function "${name}"; it exports ${listed(scopes, holders)}`;
  if (ofOthers.length === 1) return other.run;
  const services = ofOthers.map(({ service }) => `"${service}"`).join(", ");
  return `The module ${module} has a function "${name}" in each of the services ${services}: name the module, or the service, as one of them`;
}

/** The distinct handlers of that name. */
function handlersOf(holders: readonly HandlerHolder[], name: string, isMeant: (holder: HandlerHolder) => boolean) {
  const found: { readonly service: string; readonly run: ServiceFunction }[] = [];
  holders.forEach((holder) => {
    const run = isMeant(holder) ? (holder.handlers.get(name) ?? holder.checks?.get(name)) : undefined;
    if (run !== undefined && !found.some((each) => each.run === run))
      found[found.length] = { service: holder.service, run };
  });
  return found;
}

function isScope(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** An own property only: `toString`, `constructor` and the like of a prototype are not user functions. */
function own(scope: object, name: string): unknown {
  return Object.hasOwn(scope, name) ? (scope as Readonly<Record<string, unknown>>)[name] : undefined;
}

function importUrl(url: string): Promise<object> {
  return import(url);
}

async function importModule(url: string, importing: typeof importUrl): Promise<object> {
  try {
    return await importing(url);
  } catch (thrown) {
    throw unreadable(url, "cannot be imported", thrown);
  }
}

function unreadable(url: string, problem: string, thrown: unknown): Error {
  const cause = toError(thrown);
  return libraryError("module_unreadable", `The module ${url} ${problem}: ${messageOf(cause)}`, { cause });
}

// At most this many names are shown.
const maxListed = 20;

function listed(scopes: readonly object[], holders: readonly HandlerHolder[]): string {
  const [namespace = {}, ...inDefault] = scopes;
  const parts = [
    ...named(Object.keys(namespace).filter((name) => name !== "module.exports")),
    ...(inDefault.length === 0 ? [] : inItsDefault(inDefault)),
    ...holders.map(({ service, handlers }) => `the service "${service}" (${named([...handlers.keys()]).join(", ")})`),
  ];
  return parts.length === 0 ? "nothing" : parts.join(", ");
}

function inItsDefault(scopes: readonly object[]): string[] {
  const names = new Set(scopes.flatMap((scope) => Object.keys(scope)));
  names.delete("default");
  names.delete("__esModule");
  return names.size === 0 ? [] : [`and in its default export ${named([...names]).join(", ")}`];
}

function named(names: readonly string[]): string[] {
  const shown = names.slice(0, maxListed).map((name) => JSON.stringify(name));
  return names.length > maxListed ? [...shown, `${names.length - maxListed} more`] : shown;
}
