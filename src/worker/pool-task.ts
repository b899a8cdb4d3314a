import type { GenApiError } from "../core/errors.ts";
import type { Waiting } from "../core/fair/fair-queue.ts";
import type { ConnectionPart } from "../core/fair/parts.ts";
import type { CancelReason, RunningTask, WorkerTarget } from "../execution/worker-call.ts";
import type { Trial } from "./functions/circuit-breaker.ts";
import type { PoolFunction } from "./functions/pool-function.ts";
import type { NestedTasks } from "./nested-tasks.ts";
import { op } from "./thread/thread-protocol.ts";
import type { Sent } from "./thread-inbox.ts";

/** Receives the cancellation of a task. */
export interface TaskOwner {
  cancel(task: PoolTask, reason: CancelReason): void;
}

/** The thread that has a task, as the task's owner uses it. */
export interface TaskThread {
  /** The task whose code is on its stack, if known. */
  readonly current: PoolTask | null;
  /** Whether this task is the only work on it. */
  isAloneWith(task: PoolTask): boolean;
  /**
   * Takes back a task whose function was not called.
   * @returns false if it was called, or could not be
   */
  withdraw(task: PoolTask): boolean;
  /** Aborts the signal of one of its tasks. */
  cancel(task: PoolTask, reason: CancelReason): void;
  /** Lets one of its streams send `chunks` more chunks. */
  grant(task: PoolTask, chunks: number): void;
  /** Lets one of its streams with a window send `chunks` more chunks. */
  acknowledge(task: PoolTask, chunks: number): void;
  /** Whether the function of one of its tasks was called. */
  hasBegun(task: PoolTask): boolean;
}

/** Receives a task's outcome: the caller, or a stand-in. */
export interface TaskListener {
  /** Only for streams. */
  chunk?(json: string): void;
  /** @param json null only at a stream's end */
  succeeded(json: string | null): void;
  failed(error: GenApiError, begun: boolean): void;
}

/** A call or a stream, and where it is. */
export class PoolTask implements RunningTask, Waiting<PoolTask>, Sent<PoolTask> {
  readonly #owner: TaskOwner;
  readonly target: WorkerTarget;
  readonly listener: TaskListener;
  readonly function: PoolFunction;
  /** The connection whose share of the pool it uses. */
  readonly part: ConnectionPart<PoolTask>;
  /** The operation that a thread performs. */
  readonly op: number;
  /** A stream's window; null without one, and for calls. */
  readonly window: number | null;
  before: PoolTask | null = null;
  after: PoolTask | null = null;
  /** Set while a thread has it. */
  thread: TaskThread | null = null;
  slot = -1;
  /** How often it was sent to a thread. */
  sends = 0;
  sentAtLook = 0;
  /** Its thread had already failed to import its module: the answer may be out of date. */
  metFailedImport = false;
  /** It was sent to a fresh thread for that reason. */
  wasSentAnew = false;
  /**
   * Whether the caller has its answer or no longer waits: set before any callback, which may cancel tasks that are not
   * over.
   */
  over = false;
  /** Set when its caller gave up after a timeout, until it is clear whether its function was the cause. */
  timedOut: { readonly at: number; readonly wasAlone: boolean } | null = null;
  /** The calls that its function makes; created for the first. */
  nested: NestedTasks | null = null;
  /** Set if it is the trial of an open circuit. */
  trial: Trial | null = null;
  /** When the pool accepted it, for telemetry; below 0 if there were no listeners then. */
  takenAt = -1;

  constructor(
    owner: TaskOwner,
    target: WorkerTarget,
    listener: TaskListener,
    called: PoolFunction,
    part: ConnectionPart<PoolTask>,
    code: number,
    window: number | null = null,
  ) {
    this.#owner = owner;
    this.target = target;
    this.listener = listener;
    this.function = called;
    this.part = part;
    this.op = code;
    this.window = window;
  }

  /** Whether another function waits for it. */
  get isNested(): boolean {
    return this.target.isNested === true;
  }

  /** Whether the function is only to be loaded: it belongs to no request and is not counted as one. */
  get isVerification(): boolean {
    return this.op === op.load;
  }

  cancel(reason: CancelReason): void {
    if (!this.over) this.#owner.cancel(this, reason);
  }
}
