import type { FrameLimits } from "../message-pack/frame-scan.ts";
import type { Pipe } from "./pipe.ts";

/** The outgoing messages of one end of a pipe: entries leave together, once per turn of the event loop. */
export class Outbox {
  readonly #pipe: Pipe;
  readonly #limits: FrameLimits;
  readonly #entries: Uint8Array[] = [];
  readonly #flush = (): void => this.flush();
  #bytes = 0;
  #scheduled = false;
  #isClosed = false;

  /** How many messages the pipe has got, which is the number of the next. */
  sent = 0;

  /** @param limits the other end's limits for one message */
  constructor(pipe: Pipe, limits: FrameLimits) {
    this.#pipe = pipe;
    this.#limits = limits;
  }

  /** Bytes that have not left this process. */
  get bufferedBytes(): number {
    return this.#pipe.bufferedBytes;
  }

  /**
   * Adds an encoded entry.
   * @returns the number of the message in which it leaves
   */
  put(entry: Uint8Array): number {
    if (this.#isClosed) return this.sent;
    // Large messages leave at once, so that the other end can begin with them.
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

  /** Sends all entries added so far. */
  flush(): void {
    this.#scheduled = false;
    if (this.#entries.length === 0 || this.#isClosed) return;
    const message = this.#entries.length === 1 ? (this.#entries[0] as Uint8Array) : Buffer.concat(this.#entries);
    this.#entries.length = 0;
    this.#bytes = 0;
    this.send(message);
  }

  /** Sends a single message at once. */
  send(message: Uint8Array): void {
    if (this.#isClosed) return;
    this.sent++;
    this.#pipe.send(message);
  }

  /** Stops sending. */
  close(): void {
    this.#isClosed = true;
    this.#entries.length = 0;
  }
}
