/** Callers who wait until something has come, or will certainly not come any more. */
export class Waiters {
  readonly #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  #inVain: Error | null = null;

  /**
   * Resolves with the next {@link resolveAll}.
   * @throws the error of {@link rejectAll} (as a rejection), before or later
   */
  async wait(): Promise<void> {
    if (this.#inVain !== null) throw this.#inVain;
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Resolves everyone who waits. */
  resolveAll(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /** Rejects everyone who waits, now or later. */
  rejectAll(error: Error): void {
    this.#inVain = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
