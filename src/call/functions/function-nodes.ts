/** The service nodes that may run a function. */
export interface FunctionNodes {
  /** Identifies the FunConfig to the node selector, see `functionKeyOf`. */
  readonly functionKey: string;
  /** Their names without duplicates; none if they cannot be determined. Sometimes a promise, which never rejects. */
  names(): readonly string[] | Promise<readonly string[]>;
  /** The names that are known without a call; null if a resolver must be called. */
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
