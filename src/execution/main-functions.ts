import { libraryError } from "../core/errors.ts";
import type { Clock } from "../core/time/clock.ts";
import { within } from "../core/time/within.ts";
import { type FunctionKind, kindOfFunction } from "./function-kind.ts";
import { freshUrl, importAnew } from "./import-anew.ts";
import { type FunctionPlace, type LoadedFunction, loadFunction, type ServiceFunction } from "./load-function.ts";

// The same limit as on a thread.
const loadTimeoutMs = 10_000;

/** Modules that are being imported anew on the main thread. */
export interface MainRenewal {
  /**
   * Loads a function from the new instance of its module.
   * @returns its kind
   * @throws as {@link MainFunctions.load}
   */
  verify(place: FunctionPlace): Promise<FunctionKind>;
  /** New calls get the functions that were loaded. */
  takeOver(): void;
}

/**
 * A program's functions on its own thread. Everybody who loads a function gets the same object, whose `run` changes when
 * its module is imported anew: what was compiled from a FunConfig stays as it is, and a call looks nothing up.
 */
export class MainFunctions {
  readonly #clock: Clock;
  /** By place; bounded by the exports of the host's modules. */
  readonly #functions = new Map<string, { run: ServiceFunction }>();
  /** Where to import a module that was imported anew, by its URL. */
  readonly #urls = new Map<string, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * As {@link loadFunction}, on the program's own thread. A file that awaits its own start at its top level cannot be
   * imported by that start: each would wait for the other.
   *
   * @throws GenApiError as {@link loadFunction}, and `module_unreadable` when the import takes longer than 10 s
   */
  async load(place: FunctionPlace): Promise<LoadedFunction> {
    const url = this.#urls.get(place.module);
    const loaded = await this.#import(place, url === undefined ? undefined : () => import(url));
    // The module was imported anew meanwhile.
    if (this.#urls.get(place.module) !== url) return this.load(place);
    return this.#put(keyOf(place), loaded.run);
  }

  /** Begins to import these modules anew: nothing changes before the result takes over. */
  renew(modules: ReadonlySet<string>): MainRenewal {
    const urls = new Map(Array.from(modules, (module) => [module, freshUrl(module)]));
    const imports = new Map<string, Promise<object>>();
    const importing = (module: string): Promise<object> => {
      const known = imports.get(module) ?? importAnew(module, urls.get(module) ?? module);
      imports.set(module, known);
      return known;
    };
    const renewed = new Map<string, ServiceFunction>();
    return {
      verify: async (place) => {
        const { run } = await this.#import(place, importing);
        renewed.set(keyOf(place), run);
        return kindOfFunction(run);
      },
      takeOver: () => {
        for (const [module, url] of urls) this.#urls.set(module, url);
        for (const [key, run] of renewed) this.#put(key, run);
      },
    };
  }

  #put(key: string, run: ServiceFunction): LoadedFunction {
    const known = this.#functions.get(key);
    if (known !== undefined) return Object.assign(known, { run });
    // Without a prototype, as loadFunction's.
    const added = Object.assign(Object.create(null), { run }) as { run: ServiceFunction };
    this.#functions.set(key, added);
    return added;
  }

  async #import(place: FunctionPlace, importing?: (module: string) => Promise<object>): Promise<LoadedFunction> {
    const outcome = await within<{ readonly loaded: LoadedFunction } | { readonly error: unknown }>(
      loadFunction(place, importing).catch((error: unknown) => ({ error })),
      loadTimeoutMs,
      this.#clock,
      (value) => ("error" in (value as object) ? (value as { error: unknown }) : { loaded: value as LoadedFunction }),
      (cause) => ({ error: tooSlow(place.module, cause) }),
    );
    if ("error" in outcome) throw outcome.error;
    return outcome.loaded;
  }
}

function keyOf({ moduleName, module, function: name }: FunctionPlace): string {
  return JSON.stringify([moduleName, module, name]);
}

function tooSlow(module: string, cause: unknown): Error {
  const problem = `took longer than ${loadTimeoutMs} ms to be imported`;
  const advice =
    "If it is the file that awaits this start at its top level, move the functions into a file of their own";
  return libraryError("module_unreadable", `The module ${module} ${problem}. ${advice}`, { cause });
}
