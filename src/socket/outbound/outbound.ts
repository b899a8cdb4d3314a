import type { OpenSocket } from "./open-socket.ts";
import { type SharedFrame, textFrameHeader } from "./text-frame.ts";

// Unread bytes beyond which streams pause, at most half of the limit that closes the socket.
const maxReadyBytes = 262_144;

// At least a socket's high-water mark, below which Node does not report that the socket has drained.
const minReadyBytes = 65_536;

// The most bytes collected within one turn of the event loop before they are written.
const gatherBytes = 65_536;

// Every socket may hold this much: less is not worth counting.
const uncountedBytes = 65_536;

/** The owner of an {@link Outbound}. */
export interface OutboundListener {
  /** More than `maxBufferedBytes` wait for the reader, and another message is to be sent. */
  onOverflow(): void;
  /** `bytes` more, or fewer, wait for the reader. */
  onHeld(bytes: number): void;
}

/**
 * The output to one socket: all messages of one turn of the event loop in one write.
 *
 * It builds frames itself and writes them beside those of the WebSocket library, whose `send` costs more per message.
 * Both write only whole frames; {@link flush} before a close keeps their order.
 */
export class Outbound {
  readonly #transport: OpenSocket;
  readonly #maxBufferedBytes: number;
  readonly #readyBytes: number;
  readonly #owner: OutboundListener;
  /** Frames, and headers of frames, one character per byte. */
  #latin1 = "";
  /** The data before them: everything collected up to and including the last text that was not ASCII. */
  #before: (string | Buffer)[] | undefined;
  #gatheredBytes = 0;
  /** How many bytes may wait now. */
  #limit = 0;
  #isScheduled = false;
  #waiting: (() => void)[] | undefined;
  #awaitsDrain = false;
  #reportedBytes = 0;

  constructor(transport: OpenSocket, maxBufferedBytes: number, owner: OutboundListener) {
    this.#transport = transport;
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#readyBytes = Math.max(minReadyBytes, Math.min(maxReadyBytes, maxBufferedBytes / 2));
    this.#owner = owner;
  }

  /** Sends a message at the end of this turn, or never if the socket is closing or closed. */
  send(text: string): void {
    const bytes = Buffer.byteLength(text);
    const header = textFrameHeader(bytes);
    // As many bytes as characters: all of it is ASCII.
    if (bytes === text.length) this.#latin1 += header + text;
    else this.#gather(this.#latin1 + header, Buffer.from(text));
    this.#gathered(header.length + bytes);
  }

  /** As {@link send}, for a message to many sockets, which was encoded once for all of them. */
  sendFrame(frame: SharedFrame): void {
    if (typeof frame === "string") this.#latin1 = this.#latin1 === "" ? frame : this.#latin1 + frame;
    else this.#gather(this.#latin1, frame);
    this.#gathered(frame.length);
  }

  #gather(before: string, data: Buffer): void {
    this.#before ??= [];
    if (before !== "") this.#before.push(before);
    this.#before.push(data);
    this.#latin1 = "";
  }

  #gathered(bytes: number): void {
    this.#gatheredBytes += bytes;
    if (this.#gatheredBytes >= gatherBytes) this.flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(Outbound.#flushScheduled, this);
    }
  }

  /** Whether the reader keeps up: until it does, streams send no more. */
  get isReady(): boolean {
    return this.#gatheredBytes + this.#transport.socket.writableLength < this.#readyBytes;
  }

  /** Calls `run` once, when the reader has caught up; never if the socket closes first. */
  whenReady(run: () => void): void {
    this.#waiting ??= [];
    this.#waiting.push(run);
    // Otherwise the scheduled flush checks it.
    if (this.#gatheredBytes === 0) this.#wake();
  }

  /** Writes the collected data. */
  flush(): void {
    if (this.#gatheredBytes === 0) return;
    const { socket, isOpen } = this.#transport;
    const latin1 = this.#latin1;
    const before = this.#before;
    const bytes = this.#gatheredBytes;
    this.#latin1 = "";
    this.#gatheredBytes = 0;
    this.#before = undefined;
    if (!isOpen) return;
    const waiting = socket.writableLength;
    // A single message may be larger than the bound, and small ones may follow it while it is being read.
    if (waiting <= this.#maxBufferedBytes) this.#limit = this.#maxBufferedBytes + bytes;
    else if (waiting > this.#limit) {
      this.#owner.onOverflow();
      return;
    }
    if (before === undefined) {
      socket.write(latin1, "latin1");
    } else {
      socket.cork();
      for (const part of before) socket.write(part, "latin1");
      if (latin1 !== "") socket.write(latin1, "latin1");
      socket.uncork();
    }
    this.#report();
    if (this.#waiting !== undefined) this.#wake();
  }

  #report(): void {
    const { writableLength } = this.#transport.socket;
    const counted = writableLength > uncountedBytes ? writableLength : 0;
    if (counted === this.#reportedBytes) return;
    const more = counted - this.#reportedBytes;
    this.#reportedBytes = counted;
    if (counted > 0) this.#awaitDrain();
    this.#owner.onHeld(more);
  }

  #awaitDrain(): void {
    if (this.#awaitsDrain) return;
    this.#awaitsDrain = true;
    this.#transport.socket.once("drain", () => {
      this.#awaitsDrain = false;
      this.#report();
      if (this.#waiting !== undefined) this.#wake();
    });
  }

  #wake(): void {
    if (this.isReady) {
      const waiting = this.#waiting ?? [];
      this.#waiting = undefined;
      for (const run of waiting) run();
    } else {
      this.#awaitDrain();
    }
  }

  static #flushScheduled(outbound: Outbound): void {
    outbound.#isScheduled = false;
    outbound.flush();
  }
}
