import { encodeResult } from "../core/encode-result.ts";
import { LiveRequestInfo } from "../core/live-request-info.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import type { ThreadFunction, ThreadFunctions } from "./thread-functions.ts";
import type { ThreadOutbox } from "./thread-outbox.ts";
import { answer, cell, type SharedCells } from "./thread-protocol.ts";
import { internalData, thrownData } from "./thrown-data.ts";
import type { CancelReason } from "./worker-call.ts";

// A function that held the thread longer than this lets the results before it leave first.
const slowMs = 0.3;

/** A call that waits for its function to be loaded, or runs and has a RequestInfo. */
interface LiveCall {
  info: LiveRequestInfo | null;
  cancelled: boolean;
}

/** The calls that a thread runs. */
export class ThreadCalls {
  readonly #functions: ThreadFunctions;
  readonly #outbox: ThreadOutbox;
  readonly #cells: SharedCells;
  readonly #live = new Map<number, LiveCall>();

  constructor(functions: ThreadFunctions, outbox: ThreadOutbox, cells: SharedCells) {
    this.#functions = functions;
    this.#outbox = outbox;
    this.#cells = cells;
  }

  /** Calls a function, at once where it is loaded. Its answer goes to the outbox. */
  run(slot: number, called: ThreadFunction, maxBytes: number, identity: RequestIdentity | null, args: unknown[]): void {
    if (called.run === null) {
      this.#runLoaded(slot, called, maxBytes, identity, args);
      return;
    }
    // What came before must not wait for a function that is slow, or that nobody knows yet.
    if (called.heldMs > slowMs) this.#outbox.flush();
    const from = performance.now();
    this.#begin(slot, called, maxBytes, identity, args);
    called.heldMs = performance.now() - from;
    if (called.heldMs > slowMs) this.#outbox.flush();
  }

  /** Loads a function without calling it; the answer tells whether it could be. */
  async load(slot: number, called: ThreadFunction): Promise<void> {
    try {
      await this.#functions.load(called);
      this.#outbox.put(answer.result, slot, "null");
    } catch (thrown) {
      this.#outbox.put(answer.failure, slot, internalData(thrown));
    }
    this.#outbox.flushLater();
  }

  /** Aborts the signal of a running call; one that waits for its function is not begun. */
  cancel(slot: number, reason: CancelReason): void {
    const live = this.#live.get(slot);
    if (live === undefined) return;
    live.cancelled = true;
    if (live.info !== null) LiveRequestInfo.abort(live.info, reason);
  }

  /** Cancels all, when the thread is to stop. */
  cancelAll(reason: CancelReason): void {
    for (const slot of this.#live.keys()) this.cancel(slot, reason);
  }

  async #runLoaded(
    slot: number,
    called: ThreadFunction,
    maxBytes: number,
    identity: RequestIdentity | null,
    args: unknown[],
  ): Promise<void> {
    const waiting: LiveCall = { info: null, cancelled: false };
    this.#live.set(slot, waiting);
    try {
      await this.#functions.load(called);
    } catch (thrown) {
      this.#live.delete(slot);
      this.#outbox.put(answer.failure, slot, internalData(thrown));
      this.#outbox.flushLater();
      return;
    }
    this.#live.delete(slot);
    if (waiting.cancelled) {
      this.#outbox.put(answer.failure, slot, internalData(new Error("Cancelled before it began")));
      this.#outbox.flushLater();
      return;
    }
    this.run(slot, called, maxBytes, identity, args);
    Atomics.store(this.#cells.numbers, cell.current, -1);
    this.#outbox.flushLater();
  }

  #begin(
    slot: number,
    called: ThreadFunction,
    maxBytes: number,
    identity: RequestIdentity | null,
    args: unknown[],
  ): void {
    const { numbers, begun } = this.#cells;
    Atomics.store(begun, slot, 1);
    Atomics.store(numbers, cell.current, slot);
    Atomics.add(numbers, cell.progress, 1);
    // Without `this`: a user's function must not meet the thread's records.
    const run = called.run as (...args: unknown[]) => unknown;
    let result: unknown;
    try {
      if (identity === null) {
        result = run(...args);
      } else {
        const info = new LiveRequestInfo(identity);
        this.#live.set(slot, { info, cancelled: false });
        result = run(...args, info);
      }
      if (isThenable(result)) {
        Promise.resolve(result).then(
          (value) => this.#settled(slot, maxBytes, value),
          (thrown) => this.#rejected(slot, thrown),
        );
        return;
      }
    } catch (thrown) {
      this.#live.delete(slot);
      this.#outbox.put(answer.failure, slot, thrownData(thrown));
      return;
    }
    this.#live.delete(slot);
    this.#encode(slot, maxBytes, result);
  }

  #settled(slot: number, maxBytes: number, value: unknown): void {
    this.#live.delete(slot);
    this.#encode(slot, maxBytes, value);
    this.#outbox.flushLater();
  }

  #rejected(slot: number, thrown: unknown): void {
    this.#live.delete(slot);
    this.#outbox.put(answer.failure, slot, thrownData(thrown));
    this.#outbox.flushLater();
  }

  #encode(slot: number, maxBytes: number, value: unknown): void {
    try {
      this.#outbox.put(answer.result, slot, encodeResult(value, maxBytes));
    } catch (thrown) {
      this.#outbox.put(answer.failure, slot, internalData(thrown));
    }
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
