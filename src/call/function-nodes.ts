/** The service nodes that may run a function. */
export interface FunctionNodes {
  /** Identifies the FunConfig to the node selector, see `functionKeyOf`. */
  readonly functionKey: string;
  /** Their names, none twice; none at all where they cannot be known. A promise, which never rejects, only at times. */
  names(): readonly string[] | Promise<readonly string[]>;
  /** Those that are known without asking anybody; null where a resolver would have to be asked. */
  readonly known: readonly string[] | null;
}

/** The nodes that a FunConfig lists itself. */
export class ListedNodes implements FunctionNodes {
  readonly functionKey: string;
  readonly #names: readonly string[];

  constructor(functionKey: string, names: readonly string[]) {
    this.functionKey = functionKey;
    this.#names = Object.freeze([...new Set(names)]);
  }

  names(): readonly string[] {
    return this.#names;
  }

  get known(): readonly string[] {
    return this.#names;
  }
}
