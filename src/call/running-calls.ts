import type { CancelReason } from "../worker/worker-call.ts";
import { cancelled, type Failure, unavailable } from "./failure.ts";

/** A call that still runs. */
export interface RunningCall {
  readonly requestId: string;
  readonly isStream: boolean;
  /**
   * Ends it from outside.
   *
   * @param reason what the function's signal tells
   * @param failure its answer
   */
  abort(reason: CancelReason, failure: Failure): void;
  /** Ends a stream in an orderly way, as its client asked. */
  stop(): void;
}

/** How many calls several callers may have running together: the channels of one connection. */
export interface InFlight {
  count: number;
  readonly max: number;
}

/** Where a call stands in one {@link RunningCalls}. */
export interface Place {
  readonly call: RunningCall;
  index: number;
}

/**
 * The calls that one caller has running, so that they can be cancelled by request id and ended together.
 *
 * Not a Set: V8 links each table that a Set outgrows to the next one, so that once one of them is old, every call
 * in the later ones outlives its answer until the next full collection.
 */
export class RunningCalls {
  readonly #places: Place[] = [];
  readonly #waiters: (() => void)[] = [];
  readonly #inFlight: InFlight | null;

  /** @param inFlight what it shares with other callers. @default no limit */
  constructor(inFlight: InFlight | null = null) {
    this.#inFlight = inFlight;
  }

  /** Whether no further call may be added. */
  get isFull(): boolean {
    return this.#inFlight !== null && this.#inFlight.count >= this.#inFlight.max;
  }

  get size(): number {
    return this.#places.length;
  }

  /** @returns what to {@link delete} */
  add(call: RunningCall): Place {
    const place = { call, index: this.#places.length };
    this.#places.push(place);
    if (this.#inFlight !== null) this.#inFlight.count++;
    return place;
  }

  /** Takes a call out, once. */
  delete(place: Place): void {
    const last = this.#places.pop() as Place;
    if (last !== place) {
      this.#places[place.index] = last;
      last.index = place.index;
    }
    if (this.#inFlight !== null) this.#inFlight.count--;
    if (this.#places.length > 0 || this.#waiters.length === 0) return;
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  /** Resolves when no call runs any more. */
  finished(): Promise<void> {
    return this.#places.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** What cancels every running call with this request id; null when there is none. */
  cancel(requestId: string): (() => void) | null {
    const named = this.#calls().filter((call) => call.requestId === requestId);
    if (named.length === 0) return null;
    return () => {
      for (const call of named) call.abort("cancelled", cancelled);
    };
  }

  /** What ends the stream with this request id in an orderly way; null when there is none. */
  stopStream(requestId: string): (() => void) | null {
    const stream = this.#stream(requestId);
    return stream === undefined ? null : () => stream.stop();
  }

  /** Whether a stream with this request id is live. */
  hasStream(requestId: string): boolean {
    return this.#stream(requestId) !== undefined;
  }

  #stream(requestId: string): RunningCall | undefined {
    return this.#places.find(({ call }) => call.isStream && call.requestId === requestId)?.call;
  }

  /** Ends all of them, when their caller goes away. */
  abortAll(reason: CancelReason, failure: Failure = reason === "stopped" ? unavailable : cancelled): void {
    for (const call of this.#calls()) call.abort(reason, failure);
  }

  /** A copy: whoever is aborted leaves the list. */
  #calls(): RunningCall[] {
    return this.#places.map(({ call }) => call);
  }
}
