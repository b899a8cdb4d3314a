import type { GenApiError } from "../core/errors.ts";
import type { Share } from "../core/fair/share.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import type { CallCarrier } from "./call-carrier.ts";
import type { FunctionPlace } from "./load-function.ts";

/** A user function to run, and the request it runs for. */
export interface WorkerTarget extends FunctionPlace, Partial<CallCarrier> {
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
  /** Cloned to the thread, as by `structuredClone`. */
  readonly args: readonly unknown[];
  /** Unless null, the thread appends a `RequestInfo` made from it as the last argument. */
  readonly identity: RequestIdentity | null;
  /** The client it runs for. @default the host program */
  readonly share?: Share;
  /**
   * Whether another function waits for it: it may not wait for a place, which the functions that wait for it may hold.
   * @default false
   */
  readonly isNested?: boolean;
  /** The most UTF-8 bytes of a result's JSON text, or of a single chunk's for a stream. */
  readonly maxResultBytes: number;
}

/**
 * One call of a function. The pool calls exactly one of `succeeded` and `failed`, once, possibly before `run` has
 * returned; after a cancellation it calls neither.
 */
export interface WorkerCall extends WorkerTarget {
  /** @param json the result's JSON text; `null` if the function returned nothing */
  succeeded(json: string): void;
  /**
   * @param error `failed` when the function threw a GenApiError, `internal` when it threw anything else, could not be
   *   loaded or returned what JSON cannot hold, `unavailable` when the pool could not run it to its end
   * @param begun false only when the function was certainly not called
   */
  failed(error: GenApiError, begun: boolean): void;
}

/**
 * Why a caller gives up its call. `timeout` counts as a failure of the function, if it had begun and its thread was
 * available to it; the others say nothing about the function.
 */
export type CancelReason = "timeout" | "cancelled" | "disconnected" | "stopped";

/** A call that the pool has accepted. */
export interface RunningTask {
  /**
   * The caller no longer waits: from now on the pool does not call it back. The call's `signal` aborts on the thread,
   * and its place becomes free as soon as the thread's event loop has handled that, whatever the function still does.
   */
  cancel(reason: CancelReason): void;
}

/**
 * One call of a function that answers with a stream: any number of `chunk`, then exactly one of `ended` and `failed`;
 * after a cancellation nothing more. {@link RunningStream.grant} lets the function continue.
 */
export interface WorkerStream extends WorkerTarget {
  /**
   * The most chunks that may be sent before {@link RunningStream.acknowledge} allows more. @default null: any number,
   * as far as `grant` allows
   */
  readonly window?: number | null;
  /** @param json the chunk's JSON text */
  chunk(json: string): void;
  /** @param lastJson the JSON text of the chunk given to `sendLastResult`, otherwise null */
  ended(lastJson: string | null): void;
  /** As {@link WorkerCall.failed}. */
  failed(error: GenApiError, begun: boolean): void;
}

/** A stream that the pool has accepted. Cancelling it runs the generator's `return()`. */
export interface RunningStream extends RunningTask {
  /**
   * The consumer has taken `chunks` chunks: the client's socket has room for as many more. A function runs at most 32
   * chunks or 1 MiB of text ahead of this. Once all chunks that arrived are granted, the function has credit.
   */
  grant(chunks: number): void;
  /** The client has acknowledged `chunks` more chunks of a stream with a window. */
  acknowledge(chunks: number): void;
}
