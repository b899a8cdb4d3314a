import type { CircuitBreaker } from "./circuit-breaker.ts";

/** A user's function as a pool knows it. */
export interface PoolFunction {
  /** What it is called on the way to the threads; counted from 0 in the order of first calls. */
  readonly number: number;
  readonly module: string;
  readonly name: string;
  /** Null while no call of it has failed. */
  breaker: CircuitBreaker | null;
}

/** The functions that a pool was asked to run; bounded by what the host's modules export. */
export class PoolFunctions {
  readonly #modules = new Map<string, Map<string, PoolFunction>>();
  readonly all: PoolFunction[] = [];

  /** Finds a function's record, or makes it. */
  get(module: string, name: string): PoolFunction {
    return this.#modules.get(module)?.get(name) ?? this.#add(module, name);
  }

  #add(module: string, name: string): PoolFunction {
    const added: PoolFunction = { number: this.all.length, module, name, breaker: null };
    let functions = this.#modules.get(module);
    if (functions === undefined) {
      functions = new Map();
      this.#modules.set(module, functions);
    }
    functions.set(name, added);
    this.all.push(added);
    return added;
  }
}
