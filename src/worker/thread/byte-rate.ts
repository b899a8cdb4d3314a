/** A token bucket of bytes: it holds one second's allowance and refills within a second. */
export class ByteRate {
  readonly #perSecond: number;
  #left: number;
  #countedAt: number;

  /** @param now milliseconds, as for all methods */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#countedAt = now;
  }

  /** How many bytes are allowed at this moment. */
  left(now: number): number {
    const added = ((now - this.#countedAt) * this.#perSecond) / 1_000;
    this.#left = Math.min(this.#perSecond, this.#left + Math.max(0, added));
    this.#countedAt = now;
    return Math.floor(this.#left);
  }

  /** Uses bytes, at most as many as are {@link left}. */
  take(bytes: number): void {
    this.#left -= bytes;
  }
}
