import type { GenApiError } from "../core/errors.ts";
import type { Queued } from "./call-queue.ts";
import type { Trial } from "./circuit-breaker.ts";
import type { PoolFunction } from "./pool-function.ts";
import { op } from "./thread-protocol.ts";
import type { CancelReason, RunningTask, WorkerTarget } from "./worker-call.ts";

/** Who a task tells that its caller gave up. */
export interface TaskOwner {
  cancel(task: PoolTask, reason: CancelReason): void;
}

/** The thread that has a task, as the task's owner speaks to it. */
export interface TaskThread {
  /** Aborts the signal of a task that it has. */
  cancel(task: PoolTask, reason: CancelReason): void;
  /** Lets a stream that it has go on by so many chunks. */
  grant(task: PoolTask, chunks: number): void;
  /** Whether the function of a task that it has was called. */
  hasBegun(task: PoolTask): boolean;
}

/** Who hears of a task's outcome: the caller, or what stands for it. */
export interface TaskListener {
  /** Only a stream's. */
  chunk?(json: string): void;
  /** @param json null only at a stream's end */
  succeeded(json: string | null): void;
  failed(error: GenApiError, begun: boolean): void;
}

/** A call, or a stream, and where it is. */
export class PoolTask implements RunningTask, Queued<PoolTask> {
  readonly #owner: TaskOwner;
  readonly target: WorkerTarget;
  readonly listener: TaskListener;
  readonly function: PoolFunction;
  /** What a thread does with it. */
  readonly op: number;
  before: PoolTask | null = null;
  after: PoolTask | null = null;
  /** Set while a thread has it. */
  thread: TaskThread | null = null;
  slot = -1;
  /** How often it was sent to a thread. */
  sends = 0;
  /** Whether the caller is answered, or no longer waits: set before anybody is told, who may cancel what is not over. */
  over = false;
  /** When it is an open circuit's one trial. */
  trial: Trial | null = null;
  /** When the pool took it, for telemetry; below 0 where nobody listened then. */
  takenAt = -1;

  constructor(owner: TaskOwner, target: WorkerTarget, listener: TaskListener, called: PoolFunction, code: number) {
    this.#owner = owner;
    this.target = target;
    this.listener = listener;
    this.function = called;
    this.op = code;
  }

  /** Whether the function is only to be loaded: nobody's request, not to be counted as one. */
  get isVerification(): boolean {
    return this.op === op.load;
  }

  cancel(reason: CancelReason): void {
    if (!this.over) this.#owner.cancel(this, reason);
  }
}
