/** The modules that one thread imports ahead of their calls. */
export class Preloads {
  readonly #modules: readonly string[];
  readonly #skipped: ReadonlySet<string>;
  #told = 0;
  /** The start of each import. */
  readonly #underWay = new Map<string, number>();
  readonly #ended = new Set<string>();

  /**
   * @param modules a list that only grows
   * @param skipped modules that the thread must not import
   */
  constructor(modules: readonly string[], skipped: readonly string[]) {
    this.#modules = modules;
    this.#skipped = new Set(skipped);
  }

  /** Whether any import is in progress. */
  get areUnderWay(): boolean {
    return this.#underWay.size > 0;
  }

  /** The oldest import in progress and its start, milliseconds; null if there is none. */
  get oldest(): { readonly module: string; readonly since: number } | null {
    const [first] = this.#underWay;
    return first === undefined ? null : { module: first[0], since: first[1] };
  }

  /**
   * Modules whose import is in progress: all, or those begun by a certain time.
   * @param at milliseconds
   */
  begunUntil(at = Number.POSITIVE_INFINITY): string[] {
    return [...this.#underWay].filter(([, since]) => since <= at).map(([module]) => module);
  }

  /** Whether this module's import is in progress. */
  isUnderWay(module: string): boolean {
    return this.#underWay.has(module);
  }

  /**
   * The modules that the thread should now import.
   * @param now milliseconds
   */
  start(now: number): string[] {
    const untold = this.#modules
      .slice(this.#told)
      .filter((module) => !this.#ended.has(module) && !this.#skipped.has(module));
    this.#told = this.#modules.length;
    for (const module of untold) this.#underWay.set(module, now);
    return untold;
  }

  /** The thread has imported a module, ahead of its calls or to verify a function. */
  end(module: string): void {
    this.#underWay.delete(module);
    this.#ended.add(module);
  }
}
