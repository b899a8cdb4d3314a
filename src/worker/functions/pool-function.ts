import type { FunctionPlace } from "../../execution/load-function.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";

/** A user's function as a pool knows it. */
export interface PoolFunction extends FunctionPlace {
  /** Identifies it to the threads; counted from 0 in the order of first calls. */
  readonly number: number;
  /** Null until a call of it fails. */
  breaker: CircuitBreaker | null;
  /** Its module was reloaded: what its calls still do says nothing about the code that new calls get. */
  isReplaced: boolean;
}

/** The functions that a pool was asked to run; bounded by the exports of the host's modules. */
export class PoolFunctions {
  /** By module name, module URL and function name: one file may hold several services. */
  readonly #modules = new Map<string, Map<string, Map<string, PoolFunction>>>();
  /** By number. */
  readonly all: PoolFunction[] = [];

  /** Finds or creates a function's record. */
  get(place: FunctionPlace): PoolFunction {
    return this.#modules.get(place.moduleName)?.get(place.module)?.get(place.function) ?? this.#add(place);
  }

  /** Whether a function of one of these modules was asked for. */
  haveAny(modules: ReadonlySet<string>): boolean {
    return this.all.some(({ module }) => modules.has(module));
  }

  /**
   * Gives the functions of these modules new records, under the same numbers.
   * @returns the records before
   */
  renew(modules: ReadonlySet<string>): PoolFunction[] {
    const before = this.all.filter(({ module }) => modules.has(module));
    for (const replaced of before) {
      const { number, module, moduleName, function: name } = replaced;
      const renewed: PoolFunction = { ...replaced, breaker: null };
      replaced.isReplaced = true;
      this.all[number] = renewed;
      this.#modules.get(moduleName)?.get(module)?.set(name, renewed);
    }
    return before;
  }

  #add({ module, moduleName, function: name, ofService }: FunctionPlace): PoolFunction {
    const number = this.all.length;
    const place = { module, moduleName, function: name, ofService };
    const added: PoolFunction = { number, ...place, breaker: null, isReplaced: false };
    const files = this.#modules.get(moduleName) ?? new Map<string, Map<string, PoolFunction>>();
    this.#modules.set(moduleName, files);
    const functions = files.get(module) ?? new Map<string, PoolFunction>();
    files.set(module, functions);
    functions.set(name, added);
    this.all.push(added);
    return added;
  }
}
