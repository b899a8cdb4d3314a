/** The most unconsumed chunks of a stream. */
export const streamWindow = 32;

/** The largest window of unacknowledged chunks that a client may ask for. */
export const widestClientWindow = 1_024;

/** The most unconsumed JSON text of a stream, in UTF-16 units; a single chunk may be bigger. */
export const streamWindowSize = 1024 * 1024;

/** The most unconsumed JSON text for a window of `chunks` chunks: proportionally the same. */
export function windowSize(chunks: number): number {
  return (streamWindowSize / streamWindow) * chunks;
}

/**
 * The producer's side of a stream's credit: how much it may still send. The client's socket returns what it takes; if
 * the client asked for a window, the client itself returns what it acknowledges.
 */
export class ProducerCredit {
  #chunks = streamWindow;
  #size = streamWindowSize;
  /** Sizes of the unconsumed chunks, the oldest first. */
  readonly #unread: number[] = [];
  /** How many more chunks the client's window allows. */
  #allowed: number;

  /** @param window the most unacknowledged chunks; null: any number */
  constructor(window: number | null = null) {
    this.#allowed = window ?? Number.POSITIVE_INFINITY;
  }

  get available(): boolean {
    return this.#chunks > 0 && this.#size > 0 && this.#allowed > 0;
  }

  /** Records a sent chunk of this size. */
  spend(size: number): void {
    this.#allowed--;
    this.#chunks--;
    this.#size -= size;
    this.#unread[this.#unread.length] = size;
  }

  /** The client has acknowledged `chunks` more chunks. */
  allow(chunks: number): void {
    this.#allowed += chunks;
  }

  /** The `chunks` oldest chunks were consumed. */
  refund(chunks: number): void {
    this.#chunks += chunks;
    const consumed = this.#unread.splice(0, chunks);
    for (let at = 0; at < consumed.length; at++) this.#size += consumed[at] as number;
  }
}

/**
 * The consumer's side: collects consumed chunks up to half of the window before it refunds them, so that not every
 * chunk costs a message. A stream from a service node passes two of these: together they must leave the producer some
 * credit, or all would wait for each other.
 */
export class ConsumerCredit {
  /** Sizes of the chunks that arrived and were not refunded, the oldest first. */
  readonly #sizes: number[] = [];
  #size = 0;
  /** How many of them were consumed, and their total size. */
  #consumed = 0;
  #consumedSize = 0;

  /** Chunks that arrived and were not refunded. */
  get chunks(): number {
    return this.#sizes.length;
  }

  /** Their total size. */
  get size(): number {
    return this.#size;
  }

  /** Records the arrival of a chunk of this size. */
  arrived(size: number): void {
    this.#sizes.push(size);
    this.#size += size;
  }

  /**
   * Records `chunks` consumed chunks.
   * @returns how many to refund to the producer now
   */
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

/**
 * Between a producer and a distant consumer: grants chunks before they were consumed, so that a wider window can be in
 * transit although the producer has only its own.
 */
export class WindowCredit {
  /** The most unconsumed chunks that may be granted. */
  readonly #mostAhead: number;
  readonly #mostAheadSize: number;
  /** Sizes of the chunks that were sent and not consumed yet, the oldest first. */
  readonly #unread: number[] = [];
  /** How many of them have been granted already, and their total size. */
  #ahead = 0;
  #aheadSize = 0;

  /** @param window chunks, at least {@link streamWindow}, with which nothing is granted ahead */
  constructor(window: number) {
    this.#mostAhead = window - streamWindow;
    this.#mostAheadSize = windowSize(window) - streamWindowSize;
  }

  /**
   * Records a sent chunk of this size.
   * @returns how many to grant to the producer now
   */
  sent(size: number): number {
    this.#unread.push(size);
    return this.#grantAhead();
  }

  /**
   * The `chunks` oldest chunks were consumed; a number beyond those sent is ignored.
   * @returns as {@link sent}
   */
  consumed(chunks: number): number {
    const consumed = this.#unread.splice(0, chunks);
    const known = Math.min(consumed.length, this.#ahead);
    this.#ahead -= known;
    for (const size of consumed.slice(0, known)) this.#aheadSize -= size;
    return consumed.length - known + this.#grantAhead();
  }

  #grantAhead(): number {
    const before = this.#ahead;
    while (this.#ahead < Math.min(this.#mostAhead, this.#unread.length)) {
      const size = this.#aheadSize + (this.#unread[this.#ahead] as number);
      if (size > this.#mostAheadSize) break;
      this.#aheadSize = size;
      this.#ahead++;
    }
    return this.#ahead - before;
  }
}
