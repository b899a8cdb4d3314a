import { textFrameHeader } from "./text-frame.ts";
import type { Transport } from "./transport.ts";

// What may wait for a reader before streams stop for it, at most half of what closes its socket.
const maxReadyBytes = 262_144;

// Never less than a socket's high-water mark, below which Node does not tell when the socket has drained.
const minReadyBytes = 65_536;

// What is gathered within one turn of the event loop before it is written all the same.
const gatherBytes = 65_536;

/**
 * What goes out to one socket: all messages of one turn of the event loop in one write.
 *
 * The frames are made here and written beside the WebSocket library's own, whose `send` costs more per message. Both
 * write whole frames only; {@link flush} before a close keeps their order.
 */
export class Outbound {
  readonly #transport: Transport;
  readonly #maxBufferedBytes: number;
  readonly #readyBytes: number;
  readonly #onOverflow: () => void;
  /** Frames, and headers of frames, one character a byte. */
  #latin1 = "";
  /** What goes before them: all that was gathered when a text came that was not ASCII, and that text. */
  #before: (string | Buffer)[] = [];
  #gatheredBytes = 0;
  /** How much may wait now. */
  #limit = 0;
  #isScheduled = false;
  #waiting: (() => void)[] = [];
  #awaitsDrain = false;

  /** @param onOverflow called when more than `maxBufferedBytes` wait for the reader and more is to be sent */
  constructor(transport: Transport, maxBufferedBytes: number, onOverflow: () => void) {
    this.#transport = transport;
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#readyBytes = Math.max(minReadyBytes, Math.min(maxReadyBytes, maxBufferedBytes / 2));
    this.#onOverflow = onOverflow;
  }

  /** Sends a message at the end of this turn, or, when the socket is closing or closed, never. */
  send(text: string): void {
    const bytes = Buffer.byteLength(text);
    const header = textFrameHeader(bytes);
    // As many bytes as characters: all of it is ASCII.
    if (bytes === text.length) this.#latin1 += header + text;
    else {
      this.#before.push(this.#latin1 + header, Buffer.from(text));
      this.#latin1 = "";
    }
    this.#gatheredBytes += header.length + bytes;
    if (this.#gatheredBytes >= gatherBytes) this.flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#flushScheduled);
    }
  }

  /** Whether the reader keeps up: streams send no more until it does. */
  get isReady(): boolean {
    return this.#gatheredBytes + this.#transport.socket.writableLength < this.#readyBytes;
  }

  /** Calls `run` once, when the reader has caught up; never when the socket closes before. */
  whenReady(run: () => void): void {
    this.#waiting.push(run);
    // Otherwise the flush that is scheduled looks.
    if (this.#gatheredBytes === 0) this.#wake();
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.#gatheredBytes === 0) return;
    const { socket, isOpen } = this.#transport;
    const latin1 = this.#latin1;
    const before = this.#before;
    const bytes = this.#gatheredBytes;
    this.#latin1 = "";
    this.#gatheredBytes = 0;
    if (before.length > 0) this.#before = [];
    if (!isOpen) return;
    const waiting = socket.writableLength;
    // One message alone may be larger than the bound, and small ones may follow it while it is being read.
    if (waiting <= this.#maxBufferedBytes) this.#limit = this.#maxBufferedBytes + bytes;
    else if (waiting > this.#limit) {
      this.#onOverflow();
      return;
    }
    if (before.length === 0) {
      socket.write(latin1, "latin1");
    } else {
      socket.cork();
      for (const part of before) socket.write(part, "latin1");
      if (latin1 !== "") socket.write(latin1, "latin1");
      socket.uncork();
    }
    if (this.#waiting.length > 0) this.#wake();
  }

  #wake(): void {
    if (this.isReady) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const run of waiting) run();
    } else if (!this.#awaitsDrain) {
      this.#awaitsDrain = true;
      this.#transport.socket.once("drain", () => {
        this.#awaitsDrain = false;
        if (this.#waiting.length > 0) this.#wake();
      });
    }
  }

  readonly #flushScheduled = (): void => {
    this.#isScheduled = false;
    this.flush();
  };
}
