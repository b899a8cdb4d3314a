/** The modules that one thread imports ahead of their calls. */
export class Preloads {
  readonly #modules: readonly string[];
  #told: number;
  readonly #underWay = new Set<string>();
  readonly #ended = new Set<string>();

  /**
   * @param modules a list to which modules are only added
   * @param skipped how many of them, from the start of the list, the thread is not to import
   */
  constructor(modules: readonly string[], skipped: number) {
    this.#modules = modules;
    this.#told = skipped;
  }

  /** Whether any import is under way. */
  get areUnderWay(): boolean {
    return this.#underWay.size > 0;
  }

  /** Whether this module's import is. */
  isUnderWay(module: string): boolean {
    return this.#underWay.has(module);
  }

  /** Those that the thread is to be told to import now. */
  start(): string[] {
    const untold = this.#modules.slice(this.#told).filter((module) => !this.#ended.has(module));
    this.#told = this.#modules.length;
    for (const module of untold) this.#underWay.add(module);
    return untold;
  }

  /** The thread has imported a module, ahead of its calls or to verify a function. */
  end(module: string): void {
    this.#underWay.delete(module);
    this.#ended.add(module);
  }
}
