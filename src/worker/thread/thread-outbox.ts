import type { MessagePort } from "node:worker_threads";
import { builtIns } from "../../core/foreign/built-ins.ts";
import { answerLength, cell, maxUnread, type SharedCells, weightOf } from "./thread-protocol.ts";

/**
 * Messages of a thread, sent once per turn of its event loop. They contain only numbers, texts and plain error data, so
 * that they can always be cloned. At most {@link maxUnread} plus one entry is sent while the pool has not read it: the
 * rest waits here until the pool has read enough.
 */
export class ThreadOutbox {
  readonly #post: (entries: unknown[]) => void;
  readonly #numbers: Int32Array;
  readonly #entries: unknown[] = [];
  /** The weight of the entries. */
  #weight = 0;
  readonly #flush = (): void => this.flush();
  #scheduled = false;
  /** Too much is unread: the pool will signal when it has read enough. */
  #isHeldBack = false;

  constructor(port: MessagePort, { numbers }: SharedCells) {
    // Saved now, because a user's module may replace it.
    this.#post = port.postMessage.bind(port);
    this.#numbers = numbers;
  }

  /** Whether no work should begin that would add to it. */
  get isFull(): boolean {
    if (this.#isHeldBack) return true;
    // Small amounts, the usual case, need no look at shared memory.
    return this.#weight > maxUnread / 16 && this.#weight + this.#unread >= maxUnread;
  }

  /** Adds an entry, which leaves with the next flush; the caller arranges that flush. */
  put(answer: number, slot: number, value: unknown): void {
    const entries = this.#entries;
    const { length } = entries;
    // By index: a user's module may have replaced `push`.
    entries[length] = answer;
    entries[length + 1] = slot;
    entries[length + 2] = value;
    this.#weight += weightOf(value);
  }

  /** Sends everything at the end of this turn. */
  flushLater(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    builtIns.setImmediate(this.#flush);
  }

  /** Sends as much as is allowed now. */
  flush(): void {
    this.#scheduled = false;
    while (this.#entries.length > 0 && !this.#isHeldBack) {
      if (this.#weight > maxUnread / 16) this.#sendSome();
      else this.#send(this.#entries, this.#weight);
    }
  }

  /** The pool has read enough: continues sending. */
  resume(): void {
    this.#isHeldBack = false;
    this.flush();
  }

  /** Sends everything, because the thread ends. */
  flushAll(): void {
    if (this.#entries.length > 0) this.#send(this.#entries, this.#weight);
  }

  get #unread(): number {
    return Atomics.load(this.#numbers, cell.unread);
  }

  /** Sends as many entries as allowed; at least one, since less than {@link maxUnread} is unread. */
  #sendSome(): void {
    const most = maxUnread - this.#unread;
    let weight = 0;
    let length = 0;
    for (; length < this.#entries.length && weight < most; length += answerLength) {
      weight += weightOf(this.#entries[length + 2]);
    }
    this.#send(length === this.#entries.length ? this.#entries : this.#entries.splice(0, length), weight);
  }

  #send(entries: unknown[], weight: number): void {
    this.#isHeldBack = Atomics.add(this.#numbers, cell.unread, weight) + weight >= maxUnread;
    this.#weight -= weight;
    this.#post(entries);
    if (entries === this.#entries) entries.length = 0;
  }
}
