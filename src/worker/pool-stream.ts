import type { GenApiError } from "../core/errors.ts";
import { ConsumerCredit } from "../execution/stream-credit.ts";
import type { CancelReason, RunningStream, WorkerStream } from "../execution/worker-call.ts";
import type { PoolTask, TaskListener } from "./pool-task.ts";

/** A stream from the pool's side: passes chunks to the caller, and the caller's grants to the thread. */
export class PoolStream implements RunningStream, TaskListener {
  readonly #stream: WorkerStream;
  readonly #credit = new ConsumerCredit();
  /** Set before anything else happens. */
  task: PoolTask | null = null;

  constructor(stream: WorkerStream) {
    this.#stream = stream;
  }

  chunk(json: string): void {
    this.#credit.arrived(json.length);
    this.#stream.chunk(json);
  }

  succeeded(lastJson: string | null): void {
    this.#stream.ended(lastJson);
  }

  failed(error: GenApiError, begun: boolean): void {
    this.#stream.failed(error, begun);
  }

  grant(chunks: number): void {
    const refund = this.#credit.consume(chunks);
    // A cancelled stream, or one that has ended, produces nothing more.
    if (refund > 0 && this.task !== null && !this.task.over) this.task.thread?.grant(this.task, refund);
  }

  acknowledge(chunks: number): void {
    if (this.task !== null && !this.task.over) this.task.thread?.acknowledge(this.task, chunks);
  }

  cancel(reason: CancelReason): void {
    this.task?.cancel(reason);
  }
}
