/** A socket whose bytes wait in this process. */
export interface MemoryHolder {
  /** Their number; only {@link SocketMemory} changes it. */
  heldBytes: number;
  /** Closes it and frees its memory, because all sockets together hold too much and it holds the most. */
  shed(heldBytes: number): void;
}

/**
 * The memory that all sockets of a gateway hold together: parts of messages, frames that wait for a join, messages that
 * wait for their reader. Each socket has its own bounds; many sockets at their bounds must not end the process, so the
 * one that holds the most is closed first.
 */
export class SocketMemory {
  readonly #maxBytes: number;
  readonly #holders = new Set<MemoryHolder>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The memory that all of them hold now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A socket holds `bytes` more, or fewer. */
  change(holder: MemoryHolder, bytes: number): void {
    holder.heldBytes += bytes;
    this.#bytes += bytes;
    if (holder.heldBytes > 0) this.#holders.add(holder);
    else this.#holders.delete(holder);
    while (this.#bytes > this.#maxBytes && this.#holders.size > 0) this.#shedLargest();
  }

  /** A socket is gone, with everything it held. */
  release(holder: MemoryHolder): void {
    this.#holders.delete(holder);
    this.#bytes -= holder.heldBytes;
    holder.heldBytes = 0;
  }

  #shedLargest(): void {
    let largest: MemoryHolder | null = null;
    for (const holder of this.#holders) {
      if (largest === null || holder.heldBytes > largest.heldBytes) largest = holder;
    }
    if (largest === null) return;
    // Counts as free from here on: destroying its socket takes a turn of the event loop.
    const { heldBytes } = largest;
    this.release(largest);
    largest.shed(heldBytes);
  }
}
