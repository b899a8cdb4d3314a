import type { BudgetHolder, SharedBudget } from "../../core/fair/shared-budget.ts";
import type { CancelReason } from "../../execution/worker-call.ts";
import { cancelled, type Failure, unavailable } from "./failure.ts";

/** A call that still runs. */
export interface RunningCall {
  readonly requestId: string;
  readonly isStream: boolean;
  /**
   * Ends it from outside.
   *
   * @param reason the reason for the function's signal
   * @param failure its answer
   */
  abort(reason: CancelReason, failure: Failure): void;
  /** Its client is gone. It ends, unless it is a stream for which the client may come back. */
  detach(): void;
  /** Ends a stream in good order, at its client's request. */
  stop(): void;
  /**
   * The client has consumed a stream's chunks up to this number.
   * @returns false if the stream has no window, or has not sent that number
   */
  acknowledge(seq: number): boolean;
}

/** A stream that has ended, and is kept until its client has acknowledged that. */
export interface EndedStream {
  readonly requestId: string;
  /** As {@link RunningCall.acknowledge}. */
  acknowledge(seq: number): boolean;
  /** Its client is gone, and may come back. */
  detach(): void;
  /** Its client does not want it any more. */
  forget(): void;
}

/** A bound on a connection's running calls. */
export type InFlightBound = "too_many_requests" | "too_many_streams" | "too_many_bytes";

/** The running calls that several callers share, namely the channels of one connection, and their bounds. */
export class InFlight implements BudgetHolder {
  /** Running calls. */
  count = 0;
  /** The streams among them. */
  streams = 0;
  /** Memory of their arguments, bytes. */
  held = 0;
  readonly #maxCalls: number;
  readonly #maxStreams: number;
  readonly #maxBytes: number;
  readonly #budget: SharedBudget;

  /**
   * @param maxBytes a single request may exceed it, if alone
   * @param budget shared with all other connections
   */
  constructor(maxCalls: number, maxStreams: number, maxBytes: number, budget: SharedBudget) {
    this.#maxCalls = maxCalls;
    this.#maxStreams = maxStreams;
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** The bound that keeps one more call with arguments of this many bytes from running; null if it may run. */
  boundFor(bytes: number): InFlightBound | null {
    if (this.count >= this.#maxCalls) return "too_many_requests";
    if (this.held > 0 && this.held + bytes > this.#maxBytes) return "too_many_bytes";
    return this.#budget.hasRoomFor(this, bytes) ? null : "too_many_bytes";
  }

  /** Whether no further stream may be opened. */
  get isFullOfStreams(): boolean {
    return this.streams >= this.#maxStreams;
  }

  add(bytes: number): void {
    this.count++;
    this.#budget.take(this, bytes);
  }

  /** A call now holds less. */
  giveBack(bytes: number): void {
    this.#budget.giveBack(this, bytes);
  }

  delete(bytes: number): void {
    this.count--;
    this.#budget.giveBack(this, bytes);
  }
}

/** The place of a call in one {@link RunningCalls}. */
export interface Place {
  readonly call: RunningCall;
  /** Below 0 if it only counts. */
  index: number;
  /** Memory of the call's arguments, bytes. */
  weight: number;
  /** Whether it also counts as a stream. */
  isStream: boolean;
}

/**
 * The running calls of one caller, which can be cancelled by request id and ended together.
 *
 * Not a Set: V8 links each table that a Set outgrows to the next one, so that once one of them is old, every call in
 * the later ones outlives its answer until the next full collection.
 */
export class RunningCalls {
  readonly #places: Place[] = [];
  #waiters: (() => void)[] | undefined;
  /** By request id. */
  #ended: Map<string, EndedStream> | undefined;
  readonly #inFlight: InFlight | null;

  /** @param inFlight shared with other callers. @default no limit */
  constructor(inFlight: InFlight | null = null) {
    this.#inFlight = inFlight;
  }

  /** Where added calls are counted; null if there are no bounds. */
  get inFlight(): InFlight | null {
    return this.#inFlight;
  }

  get size(): number {
    return this.#places.length;
  }

  /**
   * @param weight memory of the call's arguments, bytes
   * @returns the place to {@link delete}
   */
  add(call: RunningCall, weight = 0): Place {
    const place = { call, index: this.#places.length, weight, isStream: false };
    this.#places.push(place);
    this.#inFlight?.add(weight);
    return place;
  }

  /** As {@link add}, for a call that continues when its caller is gone: it counts, but nothing here ends it. */
  count(call: RunningCall, weight: number): Place {
    this.#inFlight?.add(weight);
    return { call, index: -1, weight, isStream: false };
  }

  /** The call in this place opens a stream. */
  countStream(place: Place): void {
    if (place.isStream) return;
    place.isStream = true;
    if (this.#inFlight !== null) this.#inFlight.streams++;
  }

  /** The call's arguments were released: it holds nothing any more. */
  lighten(place: Place): void {
    this.#inFlight?.giveBack(place.weight);
    place.weight = 0;
  }

  /** Removes a call, once. */
  delete(place: Place): void {
    this.#inFlight?.delete(place.weight);
    if (place.isStream && this.#inFlight !== null) this.#inFlight.streams--;
    this.leave(place);
  }

  /** Its caller neither waits for the call any more nor ends it; it counts until it is {@link delete}d. */
  leave(place: Place): void {
    if (place.index < 0) return;
    const last = this.#places.pop() as Place;
    if (last !== place) {
      this.#places[place.index] = last;
      last.index = place.index;
    }
    place.index = -1;
    if (this.#places.length > 0 || this.#waiters === undefined) return;
    const waiters = this.#waiters;
    this.#waiters = undefined;
    for (const waiter of waiters) waiter();
  }

  /** Resolves when no call runs any more. */
  finished(): Promise<void> {
    if (this.#places.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters ??= [];
      this.#waiters.push(resolve);
    });
  }

  /** A function that cancels every running call with this request id; null if there is none. */
  cancel(requestId: string): (() => void) | null {
    const named = this.#calls().filter((call) => call.requestId === requestId);
    if (named.length === 0) return null;
    return () => {
      for (const call of named) call.abort("cancelled", cancelled);
    };
  }

  /** A function that ends the stream with this request id in good order; null if there is none. */
  stopStream(requestId: string): (() => void) | null {
    const stream = this.#stream(requestId);
    return stream === undefined ? null : () => stream.stop();
  }

  /**
   * The client says that it has consumed the chunks of a stream up to this number; it may say anything.
   * @returns null, or the reason why nothing was acknowledged
   */
  acknowledge(requestId: unknown, seq: unknown): "not_found" | "invalid_seq" | null {
    if (typeof requestId !== "string") return "not_found";
    const stream = this.#stream(requestId) ?? this.#ended?.get(requestId);
    if (stream === undefined) return "not_found";
    const isNumber = Number.isSafeInteger(seq) && (seq as number) >= 0;
    return isNumber && stream.acknowledge(seq as number) ? null : "invalid_seq";
  }

  /** Whether a stream with this request id is live. */
  hasStream(requestId: string): boolean {
    return this.#stream(requestId) !== undefined;
  }

  #stream(requestId: string): RunningCall | undefined {
    return this.#places.find(({ call }) => call.isStream && call.requestId === requestId)?.call;
  }

  /** Keeps a stream that has ended, and not longer one that ended under the same request id before. */
  keepEnded(stream: EndedStream): void {
    this.#ended ??= new Map();
    this.#ended.get(stream.requestId)?.forget();
    this.#ended.set(stream.requestId, stream);
  }

  forgetEnded(stream: EndedStream): void {
    if (this.#ended?.get(stream.requestId) === stream) this.#ended.delete(stream.requestId);
  }

  /** Their client is gone: ends all of them but those for which it may come back. */
  detachAll(): void {
    for (const call of this.#calls()) call.detach();
    for (const stream of [...(this.#ended?.values() ?? [])]) stream.detach();
  }

  /** Ends all of them, when their caller goes away. */
  abortAll(reason: CancelReason, failure: Failure = reason === "stopped" ? unavailable : cancelled): void {
    for (const call of this.#calls()) call.abort(reason, failure);
    for (const stream of [...(this.#ended?.values() ?? [])]) stream.forget();
  }

  /** A copy, because aborted calls leave the list. */
  #calls(): RunningCall[] {
    return this.#places.map(({ call }) => call);
  }
}
