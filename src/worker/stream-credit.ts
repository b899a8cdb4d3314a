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
 * The consumer's side: gathers what was consumed, so that not every chunk costs a message. Half of the chunks are
 * refunded together; less when everything that arrived is consumed and is so much text that the producer may be
 * waiting for the size.
 */
export class ConsumerCredit {
  #unread = 0;
  #consumed = 0;
  #size = 0;

  /** A chunk of this size arrived. */
  arrived(size: number): void {
    this.#unread++;
    this.#size += size;
  }

  /** So many chunks were consumed. @returns how many to refund to the producer now */
  consume(chunks: number): number {
    const consumed = Math.min(chunks, this.#unread);
    this.#unread -= consumed;
    this.#consumed += consumed;
    const allOfMuch = this.#unread === 0 && this.#size >= streamWindowSize / 2;
    if (this.#consumed < streamWindow / 2 && !allOfMuch) return 0;
    if (this.#unread === 0) this.#size = 0;
    const refund = this.#consumed;
    this.#consumed = 0;
    return refund;
  }
}
