import { builtIns } from "../../core/foreign/built-ins.ts";
import { callWith } from "../../core/foreign/call-with.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { contextHere } from "../../core/foreign/own-context.ts";
import { isThenable, settle } from "../../core/foreign/thenable.ts";
import type { RequestIdentity } from "../../core/request-info.ts";
import { encodeResult } from "../../execution/encode-result.ts";
import { LiveRequestInfo } from "../../execution/live-request-info.ts";
import type { ServiceFunction } from "../../execution/load-function.ts";
import { internalData, thrownData } from "../../execution/thrown-data.ts";
import type { CancelReason } from "../../execution/worker-call.ts";
import type { ThreadFunction } from "./thread-functions.ts";
import type { ThreadMarks } from "./thread-marks.ts";
import type { ThreadNested } from "./thread-nested.ts";
import type { ThreadOutbox } from "./thread-outbox.ts";
import { answer } from "./thread-protocol.ts";

// A function that held the thread longer than this lets earlier results leave first.
const slowMs = 0.3;

/** A call whose promise has not settled. */
interface UnsettledCall {
  /** Null if the function did not ask for it. */
  readonly info: LiveRequestInfo | null;
}

/** The calls that a thread runs. */
export class ThreadCalls {
  readonly #outbox: ThreadOutbox;
  readonly #marks: ThreadMarks;
  readonly #nested: ThreadNested;
  /** Calls whose promise has not settled, by slot. */
  readonly #pending = new Map<number, UnsettledCall>();

  constructor(outbox: ThreadOutbox, marks: ThreadMarks, nested: ThreadNested) {
    this.#outbox = outbox;
    this.#marks = marks;
    this.#nested = nested;
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
    // Earlier results must not wait for a function that is slow, or of unknown speed.
    if (called.heldMs > slowMs) this.#outbox.flush();
    const from = builtIns.now();
    if (!this.#marks.begin(slot)) {
      this.#outbox.put(answer.withdrawn, slot, null);
      return;
    }
    contextHere().runInAsyncScope(this.#call, this, slot, run, maxBytes, identity, args);
    called.heldMs = builtIns.now() - from;
    if (called.heldMs > slowMs) this.#outbox.flush();
  }

  /**
   * The caller has given up: the signal aborts, and the slot is free at once. The promise's later result is dropped: a
   * function that never settles must not hold its place forever.
   */
  cancel(slot: number, reason: CancelReason): void {
    const call = this.#pending.get(slot);
    if (call === undefined) return;
    this.#pending.delete(slot);
    if (call.info !== null) LiveRequestInfo.abort(call.info, reason);
    this.#outbox.put(answer.abandoned, slot, null);
    this.#outbox.flushLater();
  }

  /** Aborts all signals, when the thread is to stop. */
  cancelAll(reason: CancelReason): void {
    const abort = ({ info }: UnsettledCall): void => {
      if (info !== null) LiveRequestInfo.abort(info, reason);
    };
    builtIns.apply(builtIns.forEachOfMap, this.#pending, [abort]);
  }

  #call(
    slot: number,
    run: ServiceFunction,
    maxBytes: number,
    identity: RequestIdentity | null,
    args: readonly unknown[],
  ): void {
    let result: unknown;
    const info = identity === null ? null : new LiveRequestInfo(identity, this.#nested.carrierOf(slot));
    try {
      result = callWith(run, args, info);
      if (isThenable(result)) {
        this.#await(slot, maxBytes, info, result);
        return;
      }
    } catch (thrown) {
      this.#failed(slot, thrown, info);
      return;
    }
    this.#succeeded(slot, maxBytes, result, info);
  }

  #await(slot: number, maxBytes: number, info: LiveRequestInfo | null, promise: unknown): void {
    const call: UnsettledCall = { info };
    this.#pending.set(slot, call);
    /** False if the call was given up: its slot may have another call by now. */
    const settles = (): boolean => {
      if (this.#pending.get(slot) === call) return this.#pending.delete(slot);
      this.#outbox.put(answer.settled, 0, null);
      this.#outbox.flushLater();
      return false;
    };
    settle(
      promise,
      (value) => {
        if (!settles()) {
          hearPromises(value);
          return;
        }
        this.#succeeded(slot, maxBytes, value, info);
        this.#outbox.flushLater();
      },
      (thrown) => {
        if (!settles()) {
          hearPromises(thrown);
          return;
        }
        this.#failed(slot, thrown, info);
        this.#outbox.flushLater();
      },
    );
  }

  #succeeded(slot: number, maxBytes: number, value: unknown, info: LiveRequestInfo | null): void {
    // Before its slot is free.
    if (info !== null) LiveRequestInfo.end(info);
    try {
      this.#outbox.put(answer.result, slot, encodeResult(value, maxBytes));
    } catch (thrown) {
      this.#outbox.put(answer.failure, slot, internalData(thrown));
    }
  }

  #failed(slot: number, thrown: unknown, info: LiveRequestInfo | null): void {
    if (info !== null) LiveRequestInfo.end(info);
    this.#outbox.put(answer.failure, slot, thrownData(thrown));
  }
}
