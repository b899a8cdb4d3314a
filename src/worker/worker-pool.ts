import { type GenApiError, isGenApiError, libraryError, toError } from "../core/errors.ts";
import { internalError, unavailableError } from "../core/failures.ts";
import { FairPlaces } from "../core/fair/fair-places.ts";
import { FairQueue } from "../core/fair/fair-queue.ts";
import type { ConnectionPart } from "../core/fair/parts.ts";
import { hostShare } from "../core/fair/share.ts";
import type { FunctionKind } from "../execution/function-kind.ts";
import type { FunctionPlace } from "../execution/load-function.ts";
import { errorOf, type ThrownData } from "../execution/thrown-data.ts";
import type {
  CancelReason,
  RunningStream,
  RunningTask,
  WorkerCall,
  WorkerStream,
  WorkerTarget,
} from "../execution/worker-call.ts";
import { blamed } from "./blame.ts";
import type { PoolRenewal } from "./fresh-threads.ts";
import { PoolFunctions } from "./functions/pool-function.ts";
import { mostNested } from "./nested-tasks.ts";
import { PoolCircuits } from "./pool-circuits.ts";
import { type PoolRefusal, poolNotRunning, poolRefused, tooManyVersions } from "./pool-refusal.ts";
import { PoolStream } from "./pool-stream.ts";
import { PoolTask, type TaskListener } from "./pool-task.ts";
import { PoolTelemetry } from "./pool-telemetry.ts";
import type { PoolThread } from "./pool-thread.ts";
import { op } from "./thread/thread-protocol.ts";
import { Threads } from "./threads.ts";
import { unimportable, verification } from "./verification.ts";
import type { PoolSettings, WorkerPoolStatus } from "./worker-pool-options.ts";

// How soon a thread sees that a call was given up, unless it is held.
const promptMs = 100;

// A call that had not begun when its thread died goes to another; but it may be the cause: its module may end the
// thread when imported.
const maxSends = 3;

// How many earlier versions of the code may still run calls when a reload begins: each keeps threads, and their memory.
const maxOldVersions = 3;

/**
 * Runs user functions on threads: at most `maxInFlight` calls on threads, at most `maxQueueSize` waiting, the rest
 * refused; with a circuit breaker for each function.
 *
 * Its owner closes it. It sets no timeouts for calls: the caller cancels a call that takes too long, and the pool
 * detects a blocked thread by its event loop and replaces it.
 */
export class WorkerPool {
  readonly #options: PoolSettings;
  readonly #functions = new PoolFunctions();
  readonly #places: FairPlaces<PoolTask>;
  readonly #queue: FairQueue<PoolTask>;
  /**
   * Nested calls, which must not wait for places: the functions that wait for them may hold these. They only take
   * turns for the threads. So there are always enough places here; their number is bounded on its own.
   */
  readonly #nestedPlaces = new FairPlaces<PoolTask>(Number.MAX_SAFE_INTEGER);
  readonly #nestedQueue = new FairQueue(this.#nestedPlaces);
  #isNestedsTurn = true;
  readonly #threads: Threads;
  readonly #telemetry: PoolTelemetry;
  readonly #circuits: PoolCircuits;
  #state: WorkerPoolStatus["state"] = "running";
  #closing: Promise<void> | null = null;

  constructor(options: PoolSettings) {
    this.#options = options;
    this.#places = new FairPlaces(options.maxInFlight);
    this.#queue = new FairQueue(this.#places);
    this.#telemetry = new PoolTelemetry(options);
    this.#circuits = new PoolCircuits(options, this.#telemetry);
    this.#threads = new Threads(options, this.#functions.all, {
      chunk: (task, json) => {
        this.#circuits.delivered(task);
        if (!task.over) task.listener.chunk?.(json);
      },
      succeeded: (task, json) => this.#succeeded(task, json),
      failed: (task, data, begun, thread) => this.#failed(task, data, begun, thread),
      abandoned: (task) => {
        this.#left(task);
        this.#judge(task, false);
      },
      notSendable: (task, error) => this.#notSendable(task, error),
      takenBack: (tasks) => this.#takenBack(tasks),
      hasRoom: () => this.#fill(),
      stray: (error) => this.#telemetry.strayError(error),
      outputDropped: (fd, bytes) => this.#telemetry.outputDropped(fd, bytes),
      lost: (thread, error) => this.#lost(thread, error),
      exhausted: (error) => this.#giveUp(error),
    });
  }

  /** Runs a call, at once or in its turn. */
  run(call: WorkerCall): RunningTask {
    const called = this.#functions.get(call);
    const task = new PoolTask(this, call, call as TaskListener, called, this.#partOf(call), op.call);
    if (this.#admits(task)) this.#take(task);
    return task;
  }

  /** Runs a function that answers with a stream, at once or in its turn. */
  stream(stream: WorkerStream): RunningStream {
    const called = this.#functions.get(stream);
    const consumer = new PoolStream(stream);
    const task = new PoolTask(this, stream, consumer, called, this.#partOf(stream), op.stream, stream.window);
    consumer.task = task;
    if (this.#admits(task)) this.#take(task);
    return consumer;
  }

  /**
   * Loads a function on one of the threads, to ensure that calls will find it.
   *
   * @returns its kind
   * @throws GenApiError `module_unreadable` or `function_missing`
   */
  async verify(place: FunctionPlace): Promise<FunctionKind> {
    if (this.#state !== "running") throw poolRefused("draining");
    const { clock, loadTimeoutMs } = this.#options;
    let timer: unknown;
    try {
      return await new Promise<FunctionKind>((resolve, reject) => {
        const call = verification(place, resolve, (error) => {
          // Its thread died at each attempt, and not because the pool ends.
          const died = isGenApiError(error) && error.code === "unavailable" && this.#state === "running";
          reject(
            died ? unimportable(place.module, "ended its thread when it was imported", toError(error.cause)) : error,
          );
        });
        const task = new PoolTask(
          this,
          call,
          call as TaskListener,
          this.#functions.get(place),
          this.#partOf(call),
          op.load,
        );
        timer = clock.setTimeout(() => {
          task.cancel("timeout");
          const cause = libraryError("timeout", "Given up: timeout");
          reject(unimportable(place.module, `took longer than ${loadTimeoutMs} ms to be imported`, cause));
        }, loadTimeoutMs);
        this.#take(task);
      });
    } finally {
      clock.clearTimeout(timer);
    }
  }

  /** Whether a function of one of these modules was run or verified here. */
  knows(modules: ReadonlySet<string>): boolean {
    return this.#functions.haveAny(modules) || this.#options.modules.some((module) => modules.has(module));
  }

  /**
   * Starts fresh threads beside the present ones, to import anew what they will run.
   *
   * @param force ends what runs the earliest code, if too many earlier versions still run calls
   * @throws GenApiError `unavailable`
   */
  renew(force: boolean): PoolRenewal {
    const { name } = this.#options;
    const { old } = this.#threads;
    if (old.versions >= maxOldVersions && !force) throw tooManyVersions(name, old);
    while (old.versions >= maxOldVersions) this.#threads.endOldest(new Error("Ended to make room for newer code"));
    // Who heard of those may have closed the pool.
    if (this.#state !== "running") throw poolNotRunning(name);
    const fresh = this.#threads.renew();
    return {
      started: fresh.started,
      verify: (place) => fresh.load(this.#functions.get(place)),
      mayTakeOver: () => {
        if (fresh.failure !== null) throw fresh.failure;
      },
      takeOver: (modules) => {
        for (const replaced of this.#functions.renew(modules)) this.#circuits.forget(replaced);
        this.#threads.takeOver();
      },
      discard: (error) => {
        fresh.end(error);
        this.#threads.discard();
      },
    };
  }

  /** Makes all threads import in the background the modules added to the option `modules`. */
  preload(): void {
    this.#threads.preload();
  }

  /** Cancels a task on its own request. */
  cancel(task: PoolTask, reason: CancelReason): void {
    const { thread } = task;
    task.over = true;
    if (thread === null || thread.withdraw(task)) {
      // Its function was not called, so this says nothing about it.
      this.#circuits.abandoned(task);
      this.#telemetry.givenUp(task, reason);
      if (thread === null) this.#queueOf(task).remove(task);
      else {
        this.#left(task);
        // A call that waits for an import may be on a blocked thread.
        if (reason === "timeout") this.#threads.probe(thread);
      }
      return;
    }
    thread.cancel(task, reason);
    if (reason !== "timeout") this.#circuits.abandoned(task);
    else if (thread.current === task) this.#circuits.failed(task);
    else task.timedOut = { at: this.#options.clock.now(), wasAlone: thread.isAloneWith(task) };
    this.#telemetry.givenUp(task, reason);
    if (reason === "timeout") this.#threads.probe(thread);
  }

  status(): WorkerPoolStatus {
    const { name, threads, maxInFlight, maxQueueSize } = this.#options;
    return {
      name,
      state: this.#state,
      threads,
      readyThreads: this.#threads.readyCount,
      oldThreads: this.#threads.old.count,
      inFlight: this.#places.taken,
      queued: this.#queue.size,
      nestedInFlight: this.#nestedPlaces.taken,
      nestedQueued: this.#nestedQueue.size,
      maxInFlight,
      maxQueueSize,
      openCircuits: this.#circuits.open,
    };
  }

  /**
   * Accepts no more calls, and ends its threads. Unanswered calls are `unavailable`, and their signals abort. Closing
   * again waits for the same end.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #admits(task: PoolTask): boolean {
    if (this.#state === "running" && this.#circuits.admits(task)) return true;
    this.#refuse(task, this.#state === "running" ? "circuit_open" : "draining");
    return false;
  }

  #refuse(task: PoolTask, reason: Exclude<PoolRefusal, "closed">): void {
    const error = poolRefused(reason);
    task.over = true;
    this.#circuits.abandoned(task);
    this.#telemetry.rejected(task, reason, this.#queue.size);
    // An accepted task has emitted a start event and needs its end.
    this.#telemetry.failed(task, error);
    task.listener.failed(error, false);
  }

  #partOf({ share = hostShare, isNested = false }: WorkerTarget): ConnectionPart<PoolTask> {
    return (isNested ? this.#nestedPlaces : this.#places).partOf(share);
  }

  #placesOf(task: PoolTask): FairPlaces<PoolTask> {
    return task.isNested ? this.#nestedPlaces : this.#places;
  }

  #queueOf(task: PoolTask): FairQueue<PoolTask> {
    return task.isNested ? this.#nestedQueue : this.#queue;
  }

  #take(task: PoolTask): void {
    if (task.isNested && this.#isFullOfNested && this.#nestedQueue.size === 0) {
      this.#refuse(task, "queue_full");
      return;
    }
    if (task.part.waiting === 0 && this.#placesOf(task).mayTake(task.part) && this.#send(task)) {
      this.#telemetry.taken(task);
      return;
    }
    const queue = this.#queueOf(task);
    queue.push(task);
    const isFull = task.isNested ? this.#isFullOfNested : this.#queue.size > this.#room && !task.isVerification;
    const pushedOut = isFull ? queue.pushOut(task) : null;
    if (pushedOut !== task) this.#telemetry.taken(task);
    if (pushedOut !== null) this.#refuse(pushedOut, "queue_full");
  }

  /**
   * How many may wait. While no thread has room, calls with free places wait for a thread and do not count in the
   * queue.
   */
  get #room(): number {
    const { maxQueueSize, maxInFlight } = this.#options;
    return this.#threads.haveRoom ? maxQueueSize : maxQueueSize + maxInFlight - this.#places.taken;
  }

  get #isFullOfNested(): boolean {
    return this.#nestedPlaces.taken + this.#nestedQueue.size > mostNested(this.#options.maxInFlight);
  }

  /** @returns false if no thread has room */
  #send(task: PoolTask): boolean {
    if (!this.#threads.send(task)) return false;
    this.#placesOf(task).take(task.part);
    return true;
  }

  /** A task left its thread: the next in turn takes its place. */
  #left(task: PoolTask): void {
    this.#placesOf(task).release(task.part);
    this.#fill();
  }

  #fill(): void {
    if (this.#state !== "running") return;
    this.#threads.sendWaiting();
    while ((this.#queue.size > 0 || this.#nestedQueue.size > 0) && this.#threads.haveRoom) {
      const next = this.#next();
      if (next === null) return;
      this.#send(next);
    }
  }

  /** Nested calls and others take turns, so that neither keep the others from the threads. */
  #next(): PoolTask | null {
    this.#isNestedsTurn = !this.#isNestedsTurn;
    if (this.#isNestedsTurn) return this.#nestedQueue.next() ?? this.#queue.next();
    return this.#queue.next() ?? this.#nestedQueue.next();
  }

  /** Tasks that were to wait for their thread return to the queue, ahead of later ones of their connections. */
  #takenBack(tasks: readonly PoolTask[]): void {
    for (const task of tasks) {
      this.#placesOf(task).release(task.part);
      this.#queueOf(task).unshift(task);
    }
    this.#fill();
  }

  /**
   * Judges a late call once its thread has seen that it was given up. A thread that sees it at once was available to
   * the function all the time; one that does not was blocked, and only if nothing else ran there is the function to
   * blame.
   *
   * @param hasEnded whether the function ended by itself: an end that the thread tells promptly was on its way when the
   * call was given up, and this side may have read it late
   */
  #judge(task: PoolTask, hasEnded: boolean): void {
    const { timedOut } = task;
    if (timedOut === null) return;
    task.timedOut = null;
    const wasThere = this.#options.clock.now() - timedOut.at < promptMs;
    if (wasThere ? !hasEnded : timedOut.wasAlone) this.#circuits.failed(task);
    else this.#circuits.abandoned(task);
  }

  #succeeded(task: PoolTask, json: string | null): void {
    this.#left(task);
    this.#judge(task, true);
    if (task.over) return;
    task.over = true;
    this.#circuits.succeeded(task);
    this.#telemetry.stopped(task);
    task.listener.succeeded(json);
  }

  #failed(task: PoolTask, data: ThrownData, begun: boolean, thread: PoolThread): void {
    if (!begun && this.#isSentAnew(task, thread)) return;
    this.#left(task);
    this.#judge(task, true);
    if (task.over) return;
    const error = errorOf(data);
    task.over = true;
    if (!begun) this.#circuits.abandoned(task);
    else if (isOwnAnswer(error)) this.#circuits.succeeded(task);
    else this.#circuits.failed(task);
    this.#tellFailure(task, error, begun);
  }

  /**
   * Sends a call that could not begin, because its thread had already failed to import the module, to a fresh thread:
   * ES modules remember the failure forever, while its cause may have passed.
   */
  #isSentAnew(task: PoolTask, thread: PoolThread): boolean {
    if (task.over || !task.metFailedImport || task.wasSentAnew) return false;
    task.wasSentAnew = true;
    if (!this.#threads.replaceFor(task.function.module, thread)) return false;
    this.#takenBack([task]);
    return true;
  }

  #notSendable(task: PoolTask, error: Error): void {
    this.#left(task);
    this.#circuits.abandoned(task);
    this.#fail(task, internalError(new Error("The arguments cannot be cloned to a thread", { cause: error })), false);
  }

  #lost(thread: PoolThread, cause: Error): void {
    const { tasks, current } = thread;
    const begun = tasks.filter((task) => thread.hasBegun(task));
    this.#telemetry.threadLost(cause, begun.length);
    for (const task of blamed(current, begun)) {
      task.timedOut = null;
      this.#circuits.failed(task);
    }
    const error = unavailableError(cause);
    const again: PoolTask[] = [];
    for (const task of tasks) {
      // A listener may have cancelled it, which took it back from the thread.
      if (task.thread !== thread) continue;
      // Together with its outcome: until then a listener that cancels it must find it on its thread, not in the queue.
      thread.release(task);
      const hasBegun = begun.includes(task);
      this.#placesOf(task).release(task.part);
      if (!hasBegun && !task.over && task.sends < maxSends) {
        again.push(task);
        continue;
      }
      if (hasBegun && !task.over) this.#circuits.unanswered(task);
      else this.#circuits.abandoned(task);
      this.#fail(task, error, hasBegun);
    }
    for (const task of again.reverse()) if (!task.over) this.#queueOf(task).unshift(task);
    this.#fill();
  }

  #giveUp(cause: Error): void {
    this.#state = "failed";
    this.#telemetry.threadLost(cause, 0);
    this.#failAll(unavailableError(cause));
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
    for (const queue of [this.#queue, this.#nestedQueue]) {
      for (let task = queue.take(); task !== null; task = queue.take()) {
        this.#circuits.abandoned(task);
        this.#fail(task, error, false);
      }
    }
  }

  #fail(task: PoolTask, error: GenApiError, begun: boolean): void {
    if (task.over) return;
    task.over = true;
    this.#tellFailure(task, error, begun);
  }

  #tellFailure(task: PoolTask, error: GenApiError, begun: boolean): void {
    if (isOwnAnswer(error)) this.#telemetry.stopped(task);
    else this.#telemetry.failed(task, error);
    task.listener.failed(error, begun);
  }

  async #close(): Promise<void> {
    if (this.#state === "running") this.#state = "draining";
    // Let a call that is being taken while a listener closes the pool finish first.
    await Promise.resolve();
    this.#failAll(poolRefused("draining"));
    this.#circuits.close();
    await this.#threads.close();
    for (const task of this.#threads.tasks) this.#placesOf(task).release(task.part);
    if (this.#state === "draining") this.#state = "closed";
  }
}

/** Whether a function failed on purpose: it threw a GenApiError, or its schema refused the arguments. */
function isOwnAnswer({ code }: GenApiError): boolean {
  return code === "failed" || code === "invalid_argument";
}
