import type { Deadline, Deadlines } from "../core/deadlines.ts";
import type { ServiceFunction } from "../core/load-function.ts";
import type { RequestIdentity, TraceContext } from "../core/request-info.ts";
import type { CancelReason, RunningTask } from "../worker/worker-call.ts";
import type { Target } from "./compile-function.ts";
import { type Failure, internal, refusal } from "./failure.ts";

/** Who asked for an attempt: hears of its end exactly once. */
export interface AttemptOwner {
  /** @param json the result's JSON */
  attemptSucceeded(json: string): void;
  /** @param begun false when the function was certainly not called */
  attemptFailed(failure: Failure, begun: boolean): void;
}

/** Where attempts run: the worker pool, the gateway's own thread, a service node. */
export interface Executor {
  /** Ends by `attempt.succeeded` or `attempt.failed`, perhaps before it returns. */
  run(attempt: Attempt): RunningTask;
}

/** Which function an attempt belongs to, for telemetry. */
export interface FunctionName {
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
}

/**
 * One execution of a function for one request; a retry is another attempt. It settles once: what a thread that was
 * given up on still answers is dropped here.
 */
export class Attempt {
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
  /** As in {@link Target}. */
  readonly module: string;
  readonly function: string;
  readonly main: ServiceFunction | null;
  readonly isCast: boolean;
  readonly args: readonly unknown[];
  /** Non-null when the function asked for its RequestInfo. */
  readonly identity: RequestIdentity | null;
  /** Continued by the service node that runs it. */
  readonly trace: TraceContext | null;
  readonly maxResultBytes: number;
  readonly #timeoutMs: number | null;
  readonly #owner: AttemptOwner;
  #deadlines: Deadlines | null = null;
  #deadline: Deadline | null = null;
  #task: RunningTask | null = null;
  #settled = false;

  constructor(
    name: FunctionName,
    target: Target,
    args: readonly unknown[],
    identity: RequestIdentity | null,
    trace: TraceContext | null,
    maxResultBytes: number,
    owner: AttemptOwner,
  ) {
    this.service = name.service;
    this.requestType = name.requestType;
    this.version = name.version;
    this.module = target.module;
    this.function = target.function;
    this.main = target.main;
    this.isCast = target.isCast;
    this.args = args;
    this.identity = identity;
    this.trace = trace;
    this.maxResultBytes = maxResultBytes;
    this.#timeoutMs = target.timeoutMs;
    this.#owner = owner;
  }

  start(executor: Executor, deadlines: Deadlines): void {
    try {
      this.#task = executor.run(this);
    } catch (thrown) {
      // It may have begun all the same.
      this.failed(internal(thrown));
    }
    // A function of the main thread has often answered by now: then there is nothing to wait for.
    if (this.#settled || this.#timeoutMs === null) return;
    this.#deadlines = deadlines;
    this.#deadline = deadlines.after(this.#timeoutMs, this);
  }

  succeeded(json: string): void {
    if (this.#settle()) this.#owner.attemptSucceeded(json);
  }

  failed(failure: Failure, begun = true): void {
    if (this.#settle()) this.#owner.attemptFailed(failure, begun);
  }

  /** The timeout is over: the owner hears of it at once, the function's signal is aborted. */
  expire(): void {
    this.abort("timeout", refusal("timeout", `Request timed out after ${this.#timeoutMs} ms`, true));
  }

  /** Nobody waits for its answer any more. */
  abort(reason: CancelReason, failure: Failure): void {
    if (!this.#settle()) return;
    this.#task?.cancel(reason);
    this.#owner.attemptFailed(failure, true);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#deadline !== null) this.#deadlines?.cancel(this.#deadline);
    return true;
  }
}
