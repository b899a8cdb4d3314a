/** Takes turns: each function's calls go to its nodes one after the other, in the order of the list. */
export class RoundRobin {
  readonly #next = new Map<string, number>();

  /**
   * @param functionKey whose turns are counted
   * @param nodes at least one
   */
  next(functionKey: string, nodes: readonly string[]): string {
    // A shorter list than at the last call starts over where the place does not exist.
    const place = (this.#next.get(functionKey) ?? 0) % nodes.length;
    this.#next.set(functionKey, place + 1);
    return nodes[place]!;
  }

  /** Forgets a function that is no longer registered. */
  forget(functionKey: string): void {
    this.#next.delete(functionKey);
  }
}
