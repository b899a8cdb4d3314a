import { type GenApiError, isGenApiError, libraryError, toError } from "../core/errors.ts";
import { blamed } from "./blame.ts";
import { CallQueue } from "./call-queue.ts";
import { PoolCircuits } from "./pool-circuits.ts";
import { PoolFunctions } from "./pool-function.ts";
import { PoolStream } from "./pool-stream.ts";
import { PoolTask, type TaskListener } from "./pool-task.ts";
import { PoolTelemetry } from "./pool-telemetry.ts";
import type { PoolThread } from "./pool-thread.ts";
import { op } from "./thread-protocol.ts";
import { Threads } from "./threads.ts";
import { errorOf, internalError, type ThrownData } from "./thrown-data.ts";
import { refused, threadLost } from "./unavailable.ts";
import { unimportable, verification } from "./verification.ts";
import type { CancelReason, RunningStream, RunningTask, WorkerCall, WorkerStream } from "./worker-call.ts";
import type { WorkerPoolOptions, WorkerPoolStatus } from "./worker-pool-options.ts";

// A call that was on a thread when it died, without having begun, goes to another; but it may be what kills them: its
// module may end the thread when it is imported.
const maxSends = 3;

/**
 * Runs functions of the user's on threads: at most `maxInFlight` calls on threads, at most `maxQueueSize` waiting, the
 * rest refused; behind a circuit breaker for each function.
 *
 * Who owns it closes it. It sets no timeouts for calls: the caller cancels a call that takes too long, and a thread
 * that does not react is found by its event loop standing still, and replaced.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #functions = new PoolFunctions();
  readonly #queue = new CallQueue<PoolTask>();
  readonly #threads: Threads;
  readonly #telemetry: PoolTelemetry;
  readonly #circuits: PoolCircuits;
  #state: WorkerPoolStatus["state"] = "running";
  #inFlight = 0;
  #closing: Promise<void> | null = null;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#telemetry = new PoolTelemetry(options);
    this.#circuits = new PoolCircuits(options, this.#telemetry);
    this.#threads = new Threads(options, this.#functions.all, {
      chunk: (task, json) => {
        this.#circuits.delivered(task);
        if (!task.over) task.listener.chunk?.(json);
      },
      succeeded: (task, json) => this.#succeeded(task, json),
      failed: (task, data, begun) => this.#failed(task, data, begun),
      abandoned: () => this.#left(),
      notSendable: (task, error) => this.#notSendable(task, error),
      stray: (error) => this.#telemetry.strayError(error),
      lost: (thread, error) => this.#lost(thread, error),
      exhausted: (error) => this.#giveUp(error),
    });
  }

  /** Runs a call, now or when it is its turn. */
  run(call: WorkerCall): RunningTask {
    const called = this.#functions.get(call.module, call.function);
    const task = new PoolTask(this, call, call as TaskListener, called, op.call);
    if (this.#admits(task)) this.#take(task);
    return task;
  }

  /** Runs a function that answers with a stream, now or when it is its turn. */
  stream(stream: WorkerStream): RunningStream {
    const called = this.#functions.get(stream.module, stream.function);
    const consumer = new PoolStream(stream);
    const task = new PoolTask(this, stream, consumer, called, op.stream);
    consumer.task = task;
    if (this.#admits(task)) this.#take(task);
    return consumer;
  }

  /**
   * Loads a function on one of the threads, to know that calls will find it.
   *
   * @throws GenApiError `module_unreadable` or `function_missing`
   */
  async verify(module: string, name: string): Promise<void> {
    if (this.#state !== "running") throw refused("draining");
    const { clock, loadTimeoutMs } = this.#options;
    let timer: unknown;
    try {
      await new Promise<void>((resolve, reject) => {
        const call = verification(module, name, resolve, (error) => {
          // Its thread died each time it was tried, and not because the pool ends.
          const died = isGenApiError(error) && error.code === "unavailable" && this.#state === "running";
          reject(died ? unimportable(module, "ended its thread when it was imported", toError(error.cause)) : error);
        });
        const task = new PoolTask(this, call, call as TaskListener, this.#functions.get(module, name), op.load);
        timer = clock.setTimeout(() => {
          task.cancel("timeout");
          const cause = libraryError("timeout", "Given up: timeout");
          reject(unimportable(module, `took longer than ${loadTimeoutMs} ms to be imported`, cause));
        }, loadTimeoutMs);
        this.#take(task);
      });
    } finally {
      clock.clearTimeout(timer);
    }
  }

  /** Has all threads import, in the background, what was added to the option `modules`. */
  preload(): void {
    this.#threads.preload();
  }

  /** Called by the task. */
  cancel(task: PoolTask, reason: CancelReason): void {
    task.over = true;
    if (reason === "timeout") this.#circuits.failed(task);
    else this.#circuits.abandoned(task);
    this.#telemetry.givenUp(task, reason);
    if (task.thread === null) {
      this.#queue.remove(task);
      return;
    }
    task.thread.cancel(task, reason);
    if (reason === "timeout") this.#threads.probe(task.thread);
  }

  status(): WorkerPoolStatus {
    const { name, threads, maxInFlight, maxQueueSize } = this.#options;
    return {
      name,
      state: this.#state,
      threads,
      readyThreads: this.#threads.readyCount,
      inFlight: this.#inFlight,
      queued: this.#queue.size,
      maxInFlight,
      maxQueueSize,
      openCircuits: this.#circuits.open,
    };
  }

  /**
   * Takes no more calls, and ends its threads. Calls that have not answered are `unavailable`, their signals abort.
   * Closing again waits for the same end.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #admits(task: PoolTask): boolean {
    const reason = this.#state === "running" ? (this.#isFull() ? "queue_full" : null) : "draining";
    if (reason === null && this.#circuits.admits(task)) return true;
    const why = reason ?? "circuit_open";
    task.over = true;
    this.#telemetry.rejected(task, why, this.#queue.size);
    task.listener.failed(refused(why), false);
    return false;
  }

  #isFull(): boolean {
    return this.#inFlight >= this.#options.maxInFlight && this.#queue.size >= this.#options.maxQueueSize;
  }

  #take(task: PoolTask): void {
    this.#telemetry.taken(task);
    if (this.#inFlight < this.#options.maxInFlight && this.#queue.size === 0) this.#send(task);
    else this.#queue.push(task);
  }

  #send(task: PoolTask): void {
    this.#inFlight++;
    this.#threads.send(task);
  }

  /** A task left its thread: the next in the queue takes its place. */
  #left(): void {
    this.#inFlight--;
    const next = this.#queue.shift();
    if (next !== null) this.#send(next);
  }

  #succeeded(task: PoolTask, json: string | null): void {
    this.#left();
    if (task.over) return;
    task.over = true;
    this.#circuits.succeeded(task);
    this.#telemetry.stopped(task);
    task.listener.succeeded(json);
  }

  #failed(task: PoolTask, data: ThrownData, begun: boolean): void {
    this.#left();
    if (task.over) return;
    const error = errorOf(data);
    task.over = true;
    if (error.code === "failed") this.#circuits.succeeded(task);
    else this.#circuits.failed(task);
    this.#tellFailure(task, error, begun);
  }

  #notSendable(task: PoolTask, error: Error): void {
    this.#left();
    this.#circuits.abandoned(task);
    this.#fail(task, internalError(new Error("The arguments cannot be cloned to a thread", { cause: error })), false);
  }

  #lost(thread: PoolThread, cause: Error): void {
    const { tasks, current } = thread;
    const begun = tasks.filter((task) => thread.hasBegun(task));
    this.#telemetry.threadLost(cause, begun.length);
    for (const task of blamed(current, begun)) this.#circuits.failed(task);
    const error = threadLost(cause);
    for (const task of tasks) {
      // Each with its own outcome: until then a listener that cancels it finds it on its thread, not in the queue.
      thread.release(task);
      const hasBegun = begun.includes(task);
      if (!hasBegun && !task.over && task.sends < maxSends) {
        this.#threads.send(task);
        continue;
      }
      this.#left();
      this.#circuits.unanswered(task);
      this.#fail(task, error, hasBegun);
    }
  }

  #giveUp(cause: Error): void {
    this.#state = "failed";
    this.#telemetry.threadLost(cause, 0);
    this.#failAll(threadLost(cause));
    void this.close();
    const { name, onFailed } = this.#options;
    onFailed(
      libraryError("unavailable", `The worker pool ${name} cannot keep its threads: ${cause.message}`, { cause }),
    );
  }

  #failAll(error: GenApiError): void {
    for (const task of this.#threads.tasks) {
      this.#circuits.abandoned(task);
      this.#fail(task, error, task.thread?.hasBegun(task) === true);
    }
    for (let task = this.#queue.shift(); task !== null; task = this.#queue.shift()) {
      this.#circuits.abandoned(task);
      this.#fail(task, error, false);
    }
  }

  #fail(task: PoolTask, error: GenApiError, begun: boolean): void {
    if (task.over) return;
    task.over = true;
    this.#tellFailure(task, error, begun);
  }

  #tellFailure(task: PoolTask, error: GenApiError, begun: boolean): void {
    if (error.code === "failed") this.#telemetry.stopped(task);
    else this.#telemetry.failed(task, error);
    task.listener.failed(error, begun);
  }

  async #close(): Promise<void> {
    if (this.#state === "running") this.#state = "draining";
    // A call that is being taken, or sent again, while a listener closes the pool is there when that has returned.
    await Promise.resolve();
    this.#failAll(refused("draining"));
    this.#circuits.close();
    await this.#threads.close();
    this.#inFlight = 0;
    if (this.#state === "draining") this.#state = "closed";
  }
}
