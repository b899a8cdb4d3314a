/** Memory that a kept Response takes besides its text, bytes. */
const overhead = 64;

/** The Responses of one stream that its client may ask for again: a row of consecutive numbers. */
export class KeptResponses {
  readonly #texts: string[] = [];
  readonly #weights: number[] = [];
  #first = 1;

  /** The approximate memory of a Response, bytes. */
  static weightOf(response: string): number {
    return Buffer.byteLength(response) + overhead;
  }

  /** The number of the oldest one; if none is kept, of the next one. */
  get first(): number {
    return this.#first;
  }

  get size(): number {
    return this.#texts.length;
  }

  get(seq: number): string | undefined {
    return this.#texts[seq - this.#first];
  }

  add(response: string, weight: number): void {
    this.#texts.push(response);
    this.#weights.push(weight);
  }

  /** The next Response will not be kept; nothing before it is. */
  skip(): void {
    this.#first++;
  }

  /** Their beginnings are replaced; their weights are taken to be the same. */
  rename(beginning: string, other: string): void {
    for (const [at, text] of this.#texts.entries()) this.#texts[at] = other + text.slice(beginning.length);
  }

  /**
   * Drops every Response up to this number.
   * @returns their weight
   */
  dropTo(seq: number): number {
    const count = Math.max(0, Math.min(this.#texts.length, seq - this.#first + 1));
    if (count === 0) return 0;
    this.#texts.splice(0, count);
    this.#first += count;
    return this.#weights.splice(0, count).reduce((sum, weight) => sum + weight, 0);
  }
}
