// Running calls may take turns for a function that has been forgotten; these leftovers disappear with time.
const maxFunctions = 100_000;

/** Takes turns: each function's calls go to its nodes one after the other, in the order of the list. */
export class RoundRobin {
  readonly #next = new Map<string, number>();

  /** The number of functions with turns. */
  get size(): number {
    return this.#next.size;
  }

  /**
   * @param functionKey the function whose turn it is
   * @param nodes at least one
   */
  next(functionKey: string, nodes: readonly string[]): string {
    const turn = this.#next.get(functionKey);
    if (turn === undefined) this.#makeRoom();
    // If the list has become too short for the position, it starts over.
    const place = (turn ?? 0) % nodes.length;
    this.#next.set(functionKey, place + 1);
    return nodes[place]!;
  }

  /**
   * The node whose turn is next, without taking the turn.
   * @param nodes at least one
   */
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
