import { encodeResult } from "../core/encode-result.ts";
import { LiveRequestInfo } from "../core/live-request-info.ts";
import type { ServiceFunction } from "../core/load-function.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import type { ThreadFunction } from "./thread-functions.ts";
import type { ThreadMarks } from "./thread-marks.ts";
import type { ThreadOutbox } from "./thread-outbox.ts";
import { answer } from "./thread-protocol.ts";
import { internalData, thrownData } from "./thrown-data.ts";
import type { CancelReason } from "./worker-call.ts";

// A function that held the thread longer than this lets the results before it leave first.
const slowMs = 0.3;

/** The calls that a thread runs. */
export class ThreadCalls {
  readonly #outbox: ThreadOutbox;
  readonly #marks: ThreadMarks;
  /** Of the calls that have one, by slot. */
  readonly #infos = new Map<number, LiveRequestInfo>();

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

  /** Aborts the signal of a running call. */
  cancel(slot: number, reason: CancelReason): void {
    const info = this.#infos.get(slot);
    if (info !== undefined) LiveRequestInfo.abort(info, reason);
  }

  /** Cancels all, when the thread is to stop. */
  cancelAll(reason: CancelReason): void {
    for (const info of this.#infos.values()) LiveRequestInfo.abort(info, reason);
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
      if (identity === null) {
        result = run(...args);
      } else {
        const info = new LiveRequestInfo(identity);
        this.#infos.set(slot, info);
        result = run(...args, info);
      }
      // Inside the try: `then` may be a getter of the user's that throws.
      if (isThenable(result)) {
        Promise.resolve(result).then(
          (value) => {
            this.#succeeded(slot, maxBytes, value);
            this.#outbox.flushLater();
          },
          (thrown) => {
            this.#failed(slot, thrown);
            this.#outbox.flushLater();
          },
        );
        return;
      }
    } catch (thrown) {
      this.#failed(slot, thrown);
      return;
    }
    this.#succeeded(slot, maxBytes, result);
  }

  #succeeded(slot: number, maxBytes: number, value: unknown): void {
    this.#infos.delete(slot);
    try {
      this.#outbox.put(answer.result, slot, encodeResult(value, maxBytes));
    } catch (thrown) {
      this.#outbox.put(answer.failure, slot, internalData(thrown));
    }
  }

  #failed(slot: number, thrown: unknown): void {
    this.#infos.delete(slot);
    this.#outbox.put(answer.failure, slot, thrownData(thrown));
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
