import { loadFunction, type ServiceFunction } from "../core/load-function.ts";

/** A function as a thread knows it. */
export interface ThreadFunction {
  readonly module: string;
  readonly name: string;
  /** Null until it was loaded. */
  run: ServiceFunction | null;
  /** How long the last call held the thread, milliseconds; infinite before the first. */
  heldMs: number;
  /** The running import, shared by all calls that wait for it. */
  loading: Promise<ServiceFunction> | null;
}

/** The functions that a thread was told of, by the numbers that the pool gave them. */
export class ThreadFunctions {
  readonly #functions: ThreadFunction[] = [];

  define(number: number, module: string, name: string): void {
    this.#functions[number] = { module, name, run: null, heldMs: Number.POSITIVE_INFINITY, loading: null };
  }

  get(number: number): ThreadFunction {
    return this.#functions[number] as ThreadFunction;
  }

  /**
   * Imports a function. A failure is not kept: the next call tries again.
   *
   * @throws GenApiError `module_unreadable` or `function_missing`
   */
  load(called: ThreadFunction): Promise<ServiceFunction> {
    called.loading ??= loadFunction(called.module, called.name)
      .then((run) => {
        called.run = run;
        return run;
      })
      .finally(() => {
        called.loading = null;
      });
    return called.loading;
  }
}
