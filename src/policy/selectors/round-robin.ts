// Calls under way may take turns for a function that has been forgotten: what is left of those goes with time.
const maxFunctions = 100_000;

/** Takes turns: each function's calls go to its nodes one after the other, in the order of the list. */
export class RoundRobin {
  readonly #next = new Map<string, number>();

  /** For how many functions turns are counted. */
  get size(): number {
    return this.#next.size;
  }

  /**
   * @param functionKey whose turns are counted
   * @param nodes at least one
   */
  next(functionKey: string, nodes: readonly string[]): string {
    const turn = this.#next.get(functionKey);
    if (turn === undefined) this.#makeRoom();
    // A shorter list than at the last call starts over where the place does not exist.
    const place = (turn ?? 0) % nodes.length;
    this.#next.set(functionKey, place + 1);
    return nodes[place]!;
  }

  /** Whose turn is next; takes it not. @param nodes at least one */
  peek(functionKey: string, nodes: readonly string[]): string {
    return nodes[(this.#next.get(functionKey) ?? 0) % nodes.length]!;
  }

  /** Forgets a function that is no longer registered. */
  forget(functionKey: string): void {
    this.#next.delete(functionKey);
  }

  /** Forgets every function. */
  clear(): void {
    this.#next.clear();
  }

  #makeRoom(): void {
    if (this.#next.size < maxFunctions) return;
    for (const oldest of this.#next.keys()) {
      this.#next.delete(oldest);
      return;
    }
  }
}
