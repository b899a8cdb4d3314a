import { encodeResult } from "../core/encode-result.ts";
import { LiveRequestInfo } from "../core/live-request-info.ts";
import type { ServiceFunction } from "../core/load-function.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import { isThenable } from "../core/within.ts";
import type { ThreadFunction } from "./thread-functions.ts";
import type { ThreadMarks } from "./thread-marks.ts";
import type { ThreadOutbox } from "./thread-outbox.ts";
import { answer } from "./thread-protocol.ts";
import { internalData, thrownData } from "./thrown-data.ts";
import type { CancelReason } from "./worker-call.ts";

// A function that held the thread longer than this lets the results before it leave first.
const slowMs = 0.3;

/** A call whose promise has not settled. */
interface PendingCall {
  /** Null for a function that did not ask for it. */
  readonly info: LiveRequestInfo | null;
}

/** The calls that a thread runs. */
export class ThreadCalls {
  readonly #outbox: ThreadOutbox;
  readonly #marks: ThreadMarks;
  /** Those whose promise has not settled, by slot. */
  readonly #pending = new Map<number, PendingCall>();

  constructor(outbox: ThreadOutbox, marks: ThreadMarks) {
    this.#outbox = outbox;
    this.#marks = marks;
  }

  /** Calls a function. Its answer goes to the outbox. */
  run(
    slot: number,
    called: ThreadFunction,
    run: ServiceFunction,
    maxBytes: number,
    identity: RequestIdentity | null,
    args: readonly unknown[],
  ): void {
    // What came before must not wait for a function that is slow, or that nobody knows yet.
    if (called.heldMs > slowMs) this.#outbox.flush();
    const from = performance.now();
    this.#marks.begin(slot);
    this.#call(slot, run, maxBytes, identity, args);
    called.heldMs = performance.now() - from;
    if (called.heldMs > slowMs) this.#outbox.flush();
  }

  /**
   * Nobody waits for a call any more: its signal aborts, and its slot is free at once. What its promise comes to is
   * dropped: a function that never settles must not hold its place for ever.
   */
  cancel(slot: number, reason: CancelReason): void {
    const call = this.#pending.get(slot);
    if (call === undefined) return;
    this.#pending.delete(slot);
    if (call.info !== null) LiveRequestInfo.abort(call.info, reason);
    this.#outbox.put(answer.abandoned, slot, null);
    this.#outbox.flushLater();
  }

  /** Aborts the signals of all, when the thread is to stop. */
  cancelAll(reason: CancelReason): void {
    for (const { info } of this.#pending.values()) if (info !== null) LiveRequestInfo.abort(info, reason);
  }

  #call(
    slot: number,
    run: ServiceFunction,
    maxBytes: number,
    identity: RequestIdentity | null,
    args: readonly unknown[],
  ): void {
    let result: unknown;
    try {
      const info = identity === null ? null : new LiveRequestInfo(identity);
      result = info === null ? run(...args) : run(...args, info);
      // Inside the try: `then` may be a getter of the user's that throws.
      if (isThenable(result)) {
        this.#await(slot, maxBytes, info, result);
        return;
      }
    } catch (thrown) {
      this.#failed(slot, thrown);
      return;
    }
    this.#succeeded(slot, maxBytes, result);
  }

  #await(slot: number, maxBytes: number, info: LiveRequestInfo | null, promise: unknown): void {
    const call: PendingCall = { info };
    this.#pending.set(slot, call);
    /** False when the call was given up: its slot may be another's by now. */
    const settles = (): boolean => {
      if (this.#pending.get(slot) === call) return this.#pending.delete(slot);
      this.#outbox.put(answer.settled, 0, null);
      this.#outbox.flushLater();
      return false;
    };
    Promise.resolve(promise).then(
      (value) => {
        if (!settles()) return;
        this.#succeeded(slot, maxBytes, value);
        this.#outbox.flushLater();
      },
      (thrown) => {
        if (!settles()) return;
        this.#failed(slot, thrown);
        this.#outbox.flushLater();
      },
    );
  }

  #succeeded(slot: number, maxBytes: number, value: unknown): void {
    try {
      this.#outbox.put(answer.result, slot, encodeResult(value, maxBytes));
    } catch (thrown) {
      this.#outbox.put(answer.failure, slot, internalData(thrown));
    }
  }

  #failed(slot: number, thrown: unknown): void {
    this.#outbox.put(answer.failure, slot, thrownData(thrown));
  }
}
