import type { Share } from "../core/fair/share.ts";
import type { FunctionName } from "../core/function-name.ts";
import type { RequestIdentity, TraceContext } from "../core/request-info.ts";
import type { Deadline, Deadlines } from "../core/time/deadlines.ts";
import type { CallCarrier, NestedListener, NestedRequest, RunningNested } from "../execution/call-carrier.ts";
import type { LoadedFunction } from "../execution/load-function.ts";
import type { CancelReason, RunningTask } from "../execution/worker-call.ts";
import type { CallTarget } from "./functions/compile-function.ts";
import type { NestedCalls } from "./nested/nested-calls.ts";
import type { Caller } from "./request/caller.ts";
import { type Failure, internal, timedOut } from "./request/failure.ts";

/** The requester of an attempt; it is notified of the end exactly once. */
export interface AttemptListener {
  /** @param json the result's JSON */
  onAttemptSucceeded(json: string): void;
  /** @param begun false if the function was certainly not called */
  onAttemptFailed(failure: Failure, begun: boolean): void;
  /**
   * Its function calls another for the first time.
   * @returns what takes its calls, and is told when the attempt is over
   */
  nestedCalls(identity: RequestIdentity | null): NestedCalls;
  /** One of the other methods threw. The executor that reported the end is not at fault, and has others to report. */
  onAttemptThrew(thrown: unknown): void;
}

/** Runs attempts: the worker pool, the gateway's own thread, a service node. */
export interface Executor {
  /** Ends by `attempt.succeeded` or `attempt.failed`, possibly before it returns. */
  run(attempt: Attempt): RunningTask;
}

/**
 * One execution of a function for one request; a retry is another attempt. It settles once: a late answer of a thread
 * that was given up is dropped here.
 */
export class Attempt implements CallCarrier {
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
  /** As in {@link CallTarget}. */
  readonly module: string;
  readonly moduleName: string;
  readonly function: string;
  readonly ofService: boolean;
  readonly main: LoadedFunction | null;
  readonly isCast: boolean;
  readonly args: readonly unknown[];
  /** Non-null if the function asked for its RequestInfo. */
  readonly identity: RequestIdentity | null;
  /** Continued by the service node that runs it. */
  readonly trace: TraceContext | null;
  readonly share: Share;
  readonly isNested: boolean;
  readonly maxResultBytes: number;
  readonly #timeoutMs: number | null;
  readonly #owner: AttemptListener;
  #deadlines: Deadlines | null = null;
  #deadline: Deadline | null = null;
  #task: RunningTask | null = null;
  /** The calls that its function makes. */
  #nested: NestedCalls | null = null;
  #settled = false;

  constructor(
    name: FunctionName,
    target: CallTarget,
    args: readonly unknown[],
    identity: RequestIdentity | null,
    trace: TraceContext | null,
    caller: Pick<Caller, "share" | "depth">,
    maxResultBytes: number,
    owner: AttemptListener,
  ) {
    this.service = name.service;
    this.requestType = name.requestType;
    this.version = name.version;
    this.module = target.module;
    this.moduleName = target.moduleName;
    this.function = target.function;
    this.ofService = target.ofService;
    this.main = target.main;
    this.isCast = target.isCast;
    this.args = args;
    this.identity = identity;
    this.trace = trace;
    this.share = caller.share;
    this.isNested = caller.depth > 0;
    this.maxResultBytes = maxResultBytes;
    this.#timeoutMs = target.timeoutMs;
    this.#owner = owner;
  }

  start(executor: Executor, deadlines: Deadlines): void {
    try {
      this.#task = executor.run(this);
    } catch (thrown) {
      // It may have begun nevertheless.
      this.failed(internal(thrown));
    }
    // A function on the main thread has often answered by now.
    if (this.#settled || this.#timeoutMs === null) return;
    this.#deadlines = deadlines;
    this.#deadline = deadlines.after(this.#timeoutMs, this);
  }

  carry(request: NestedRequest, listener: NestedListener): RunningNested {
    this.#nested ??= this.#owner.nestedCalls(this.identity);
    if (this.#settled) this.#nested.end();
    return this.#nested.carry(request, listener);
  }

  succeeded(json: string): void {
    if (!this.#settle()) return;
    try {
      this.#owner.onAttemptSucceeded(json);
    } catch (thrown) {
      this.#owner.onAttemptThrew(thrown);
    }
  }

  failed(failure: Failure, begun = true): void {
    if (this.#settle()) this.#tellFailure(failure, begun);
  }

  /** The timeout has passed: the owner is notified at once, and the function's signal aborts. */
  expire(): void {
    this.abort("timeout", timedOut(this.#timeoutMs ?? 0));
  }

  /** The answer is no longer wanted. */
  abort(reason: CancelReason, failure: Failure): void {
    if (!this.#settle()) return;
    this.#task?.cancel(reason);
    this.#tellFailure(failure, true);
  }

  #tellFailure(failure: Failure, begun: boolean): void {
    try {
      this.#owner.onAttemptFailed(failure, begun);
    } catch (thrown) {
      this.#owner.onAttemptThrew(thrown);
    }
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#deadline !== null) this.#deadlines?.cancel(this.#deadline);
    this.#nested?.end();
    return true;
  }
}
