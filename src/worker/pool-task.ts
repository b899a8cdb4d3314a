import type { Queued } from "./call-queue.ts";
import type { Trial } from "./circuit-breaker.ts";
import type { PoolFunction } from "./pool-function.ts";
import type { PoolThread } from "./pool-thread.ts";
import type { CancelReason, RunningTask, WorkerCall } from "./worker-call.ts";

/** Who a task tells that its caller gave up. */
export interface TaskOwner {
  cancel(task: PoolTask, reason: CancelReason): void;
}

/** A call and where it is. */
export class PoolTask implements RunningTask, Queued<PoolTask> {
  readonly #owner: TaskOwner;
  readonly call: WorkerCall;
  readonly function: PoolFunction;
  /** What a thread does with it. */
  readonly op: number;
  before: PoolTask | null = null;
  after: PoolTask | null = null;
  /** Set while a thread has it. */
  thread: PoolThread | null = null;
  slot = -1;
  /** How often it was sent to a thread. */
  sends = 0;
  /** Whether the caller was answered or no longer waits. */
  over = false;
  /** When it is an open circuit's one trial. */
  trial: Trial | null = null;
  /** When the pool took it, for telemetry; 0 while nobody listens. */
  takenAt = 0;

  constructor(owner: TaskOwner, call: WorkerCall, called: PoolFunction, code: number) {
    this.#owner = owner;
    this.call = call;
    this.function = called;
    this.op = code;
  }

  cancel(reason: CancelReason): void {
    if (!this.over) this.#owner.cancel(this, reason);
  }
}
