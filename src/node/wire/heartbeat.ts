/** No entry begins with this byte, because MessagePack never uses it. */
const mark = 0xc1;
const length = 5;

/** The message that shows that an end of a pipe lives, with the number of messages it has received. */
export function heartbeat(heard: number): Uint8Array {
  const message = Buffer.allocUnsafe(length);
  message[0] = mark;
  message.writeUInt32BE(heard >>> 0, 1);
  return message;
}

/** The number of messages that the other end has received, from its heartbeat; null for every other message. */
export function heardBy(message: Uint8Array): number | null {
  if (message.length !== length || message[0] !== mark) return null;
  return new DataView(message.buffer, message.byteOffset, length).getUint32(1);
}

/**
 * Whether the other end of a pipe receives this one's messages. Its count grows from heartbeat to heartbeat, since this
 * end sends at least one each time; if messages to it are lost, the count stands still.
 */
export class HeardByOther {
  #last: number | null = null;
  #next: number | null = null;
  #unheardFor = 0;

  /** A heartbeat came. */
  told(heard: number): void {
    this.#next = heard;
  }

  /** @returns the number of consecutive ticks whose heartbeats had received nothing new */
  tick(): number {
    if (this.#next === null) return this.#unheardFor;
    this.#unheardFor = this.#next === this.#last ? this.#unheardFor + 1 : 0;
    this.#last = this.#next;
    this.#next = null;
    return this.#unheardFor;
  }

  /** This process stood still, and sent nothing that the other end could have received. */
  forgive(): void {
    this.#unheardFor = 0;
    this.#last = null;
    this.#next = null;
  }
}
