/** The most chunks of a stream that are on their way to its consumer. */
export const streamWindow = 32;

/** The most JSON text of a stream, in UTF-16 units, that is on its way; one chunk may be bigger, alone. */
export const streamWindowSize = 1024 * 1024;

/** The producer's side of a stream's credit: how much it may still send. */
export class ProducerCredit {
  #chunks = streamWindow;
  #size = streamWindowSize;
  /** The sizes of the chunks that were not consumed yet, the oldest first. */
  readonly #unread: number[] = [];

  get available(): boolean {
    return this.#chunks > 0 && this.#size > 0;
  }

  /** A chunk of this size was sent. */
  spend(size: number): void {
    this.#chunks--;
    this.#size -= size;
    this.#unread.push(size);
  }

  /** The oldest so many chunks were consumed. */
  refund(chunks: number): void {
    this.#chunks += chunks;
    for (const size of this.#unread.splice(0, chunks)) this.#size += size;
  }
}

/**
 * The consumer's side: gathers what was consumed, so that not every chunk costs a message, until it is half of what may be
 * on its way. A stream from a service node passes two of these: what both hold back together must leave the producer
 * credit, or all would wait for each other.
 */
export class ConsumerCredit {
  /** The sizes of the chunks that arrived and were not refunded, the oldest first. */
  readonly #sizes: number[] = [];
  #size = 0;
  /** How many of them were consumed, and their size. */
  #consumed = 0;
  #consumedSize = 0;

  /** Chunks that arrived and were not refunded. */
  get chunks(): number {
    return this.#sizes.length;
  }

  /** Their size. */
  get size(): number {
    return this.#size;
  }

  /** A chunk of this size arrived. */
  arrived(size: number): void {
    this.#sizes.push(size);
    this.#size += size;
  }

  /** So many chunks were consumed. @returns how many to refund to the producer now */
  consume(chunks: number): number {
    const consumed = Math.min(this.#consumed + chunks, this.#sizes.length);
    for (; this.#consumed < consumed; this.#consumed++) this.#consumedSize += this.#sizes[this.#consumed] as number;
    if (consumed < streamWindow / 2 && this.#consumedSize < streamWindowSize / 2) return 0;
    this.#sizes.splice(0, consumed);
    this.#size -= this.#consumedSize;
    this.#consumed = 0;
    this.#consumedSize = 0;
    return consumed;
  }
}
