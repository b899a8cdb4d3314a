import type { GenApiError } from "../core/errors.ts";
import type { RequestIdentity } from "../core/request-info.ts";

/** What of the user's is to run on a thread, and for whom. */
export interface WorkerTarget {
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
  /** The URL of an ES module. */
  readonly module: string;
  /** The function's name in that module, see `loadFunction`. */
  readonly function: string;
  /** Cloned to the thread as `structuredClone` does it. */
  readonly args: readonly unknown[];
  /** When not null, the thread appends a `RequestInfo` made of it as last argument. */
  readonly identity: RequestIdentity | null;
  /** The most UTF-8 bytes of a result's JSON text; of one chunk's with a stream. */
  readonly maxResultBytes: number;
}

/**
 * One call of a function. The pool calls exactly one of `succeeded` and `failed`, exactly once, perhaps before
 * `run` has returned; once the call was cancelled it calls neither.
 */
export interface WorkerCall extends WorkerTarget {
  /** @param json the result's JSON text; `null` where the function returned nothing */
  succeeded(json: string): void;
  /**
   * @param error `failed` when the function threw a GenApiError, `internal` when it threw anything else, could not be
   *   loaded or returned what JSON cannot hold, `unavailable` when the pool could not run it to its end
   * @param begun false only when the function was certainly not called
   */
  failed(error: GenApiError, begun: boolean): void;
}

/** Why a caller gives up its call. `timeout` counts as a failure of the function, the others say nothing about it. */
export type CancelReason = "timeout" | "cancelled" | "disconnected" | "stopped";

/** A call that the pool was given. */
export interface RunningTask {
  /**
   * The caller no longer waits: from here on the pool tells it nothing. In the thread the call's `signal` aborts, and
   * its place is free as soon as the thread's event loop has heard of it, whatever the function still does.
   */
  cancel(reason: CancelReason): void;
}

/**
 * One call of a function that answers with a stream: any number of `chunk`, then exactly one of `ended` and `failed`;
 * once it was cancelled, nothing more. {@link RunningStream.grant} lets the function go on.
 */
export interface WorkerStream extends WorkerTarget {
  /** @param json the chunk's JSON text */
  chunk(json: string): void;
  /** @param lastJson the JSON text of `sendLastResult`'s chunk, else null */
  ended(lastJson: string | null): void;
  /** As {@link WorkerCall.failed}. */
  failed(error: GenApiError, begun: boolean): void;
}

/** A stream that the pool was given. Cancelling it runs the generator's `return()`. */
export interface RunningStream extends RunningTask {
  /**
   * So many chunks were taken: the client's socket has room for as many more. A function runs at most 32 chunks or
   * 1 MiB of text ahead of this. When all chunks that arrived are granted, the function has credit.
   */
  grant(chunks: number): void;
}
