import type { MessagePort } from "node:worker_threads";

/**
 * What a thread has to say, sent once per turn of its event loop. Only numbers, texts and plain error data go in, so
 * that a message can always be cloned.
 */
export class ThreadOutbox {
  readonly #port: MessagePort;
  readonly #entries: unknown[] = [];
  readonly #flush = (): void => this.flush();
  #scheduled = false;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Adds an entry. It leaves with the next flush, for which the caller sees. */
  put(answer: number, slot: number, value: unknown): void {
    this.#entries.push(answer, slot, value);
  }

  /** Sends everything at the end of this turn. */
  flushLater(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  /** Sends everything now. */
  flush(): void {
    this.#scheduled = false;
    if (this.#entries.length === 0) return;
    this.#port.postMessage(this.#entries);
    this.#entries.length = 0;
  }
}
