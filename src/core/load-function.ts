import { libraryError, toError } from "./errors.ts";

/** A function of the user's, as the gateway calls it. */
export type ServiceFunction = (...args: unknown[]) => unknown;

/**
 * What {@link loadFunction} resolves with, since a promise never resolves with a user's function itself: that may have
 * a `then`. It has no prototype, as a user's module may give that one too.
 */
export interface LoadedFunction {
  readonly run: ServiceFunction;
}

// Where `defineService` keeps its handlers. A global symbol: the definition may come from another copy of the package.
const handlersKey = Symbol.for("gen-api.service-handlers");

/** Something with handlers by function name: the result of `defineService`. */
export interface HandlerHolder {
  /** The functions, by name. */
  readonly handlers: ReadonlyMap<string, ServiceFunction>;
}

/** Marks `holder` so that {@link loadFunction} finds its handlers when its module exports it. */
export function markHandlers<Holder extends HandlerHolder>(holder: Holder): Holder {
  Object.defineProperty(holder, handlersKey, { value: true });
  return holder;
}

/** Whether `value` was marked by {@link markHandlers}. */
export function holdsHandlers(value: unknown): value is HandlerHolder {
  return typeof value === "object" && value !== null && handlersKey in value;
}

/**
 * Imports the ES module at `url` and returns its function `name`: a function that it exports under that name, else
 * the handler of that name in a `defineService` definition that it exports.
 *
 * @throws GenApiError `module_unreadable` when the import fails, `function_missing` when there is no such function
 */
export async function loadFunction(url: string, name: string): Promise<LoadedFunction> {
  const namespace = await importModule(url);
  // A namespace object has no prototype, so only what the module itself exports can be found here.
  const exported = namespace[name];
  if (typeof exported === "function") return loaded(exported as ServiceFunction);
  for (const value of Object.values(namespace)) {
    const handler = holdsHandlers(value) ? value.handlers.get(name) : undefined;
    if (handler !== undefined) return loaded(handler);
  }
  throw libraryError(
    "function_missing",
    `The module ${url} has no function "${name}"; it exports ${listed(Object.keys(namespace))}`,
  );
}

function loaded(run: ServiceFunction): LoadedFunction {
  return Object.assign(Object.create(null), { run });
}

async function importModule(url: string): Promise<Record<string, unknown>> {
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (thrown) {
    const cause = toError(thrown);
    throw libraryError("module_unreadable", `The module ${url} cannot be imported: ${cause.message}`, { cause });
  }
}

function listed(names: string[]): string {
  return names.length === 0 ? "nothing" : names.map((name) => `"${name}"`).join(", ");
}
