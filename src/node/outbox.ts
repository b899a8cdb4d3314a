import type { FrameLimits } from "./frame-scan.ts";
import type { Pipe } from "./pipe.ts";

const heartbeat = new Uint8Array(0);

/** What one end of a pipe has to say: entries leave together, once per turn of the event loop. */
export class Outbox {
  readonly #pipe: Pipe;
  readonly #limits: FrameLimits;
  readonly #entries: Uint8Array[] = [];
  readonly #flush = (): void => this.flush();
  #bytes = 0;
  #scheduled = false;
  #isClosed = false;
  #wasUsed = false;

  /** How many messages were given to the pipe: the number of the next. */
  sent = 0;

  /** @param limits what the other end takes in one message */
  constructor(pipe: Pipe, limits: FrameLimits) {
    this.#pipe = pipe;
    this.#limits = limits;
  }

  /** Bytes that have not left this process. */
  get bufferedBytes(): number {
    return this.#pipe.bufferedBytes;
  }

  /** Adds an encoded entry. @returns the number of the message in which it leaves */
  put(entry: Uint8Array): number {
    if (this.#isClosed) return this.sent;
    // What is much leaves at once, so that the other end can begin with it.
    const { entries, values } = this.#limits;
    if (this.#bytes + entry.length > values || this.#entries.length === entries) {
      this.flush();
      // A pipe may end when it is given a message.
      if (this.#isClosed) return this.sent;
    }
    this.#entries.push(entry);
    this.#bytes += entry.length;
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#flush);
    }
    return this.sent;
  }

  /** Sends what was put. */
  flush(): void {
    this.#scheduled = false;
    if (this.#entries.length === 0 || this.#isClosed) return;
    const message = this.#entries.length === 1 ? (this.#entries[0] as Uint8Array) : Buffer.concat(this.#entries);
    this.#entries.length = 0;
    this.#bytes = 0;
    this.send(message);
  }

  /** Sends a message of its own, at once. */
  send(message: Uint8Array): void {
    if (this.#isClosed) return;
    this.#wasUsed = true;
    this.sent++;
    this.#pipe.send(message);
  }

  /** Lets the other end know that this one lives, unless it was told something else since the last time. */
  beat(): void {
    if (!this.#wasUsed) this.send(heartbeat);
    this.#wasUsed = false;
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#isClosed = true;
    this.#entries.length = 0;
  }
}
