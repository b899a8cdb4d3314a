import type { Worker } from "node:worker_threads";
import { Piscina } from "piscina";
import { addRestart } from "../actor/restart.ts";
import { toError } from "../core/errors.ts";
import { atMost } from "../core/within.ts";
import type { PoolFunction } from "./pool-function.ts";
import type { PoolTask, TaskThread } from "./pool-task.ts";
import { PoolThread, type ThreadEvents } from "./pool-thread.ts";
import { Preloads } from "./preloads.ts";
import { WedgeWatch } from "./wedge-watch.ts";
import type { WorkerPoolOptions } from "./worker-pool-options.ts";

/** What {@link Threads} needs to know. */
export type ThreadsOptions = Pick<
  WorkerPoolOptions,
  | "clock"
  | "threads"
  | "maxInFlight"
  | "wedgeGraceMs"
  | "pingIntervalMs"
  | "startTimeoutMs"
  | "resourceLimits"
  | "threadFile"
  | "modules"
>;

/** What {@link Threads} tells the pool. */
export interface ThreadsEvents
  extends Pick<ThreadEvents, "chunk" | "succeeded" | "failed" | "abandoned" | "notSendable" | "stray"> {
  /** A thread is gone and already replaced; the pool takes its tasks from it. */
  lost(thread: PoolThread, error: Error): void;
  /** Threads die before they have done anything, again and again: there will be no more. */
  exhausted(error: Error): void;
}

/** One of the places for a thread, and what belongs to the thread that now has it. */
interface Seat {
  thread: PoolThread;
  watch: WedgeWatch;
  startTimer: unknown;
}

const ownFile = new URL("./thread-entry.cjs", import.meta.url);

// A thread that cannot start must not be started for ever; OTP's restart intensity, for each seat.
const deathsPerSeat = 3;
const deathPeriodMs = 5_000;
// How long a loop has to end by itself before its thread is terminated.
const stopGraceMs = 100;
// How long terminated threads have to be gone; one in a system call that blocks cannot be interrupted.
const exitTimeoutMs = 5_000;

/** Keeps a fixed number of threads alive. Piscina starts them, limits them, and ends them. */
export class Threads {
  readonly #options: ThreadsOptions;
  readonly #functions: readonly PoolFunction[];
  readonly #events: ThreadsEvents;
  readonly #piscina: Piscina;
  readonly #seats: Seat[] = [];
  /** Threads that have not exited, and ports that have not closed: those of lost threads outlive their seats. */
  readonly #exits = new Map<Worker | PoolThread, Promise<unknown>>();
  readonly #toThread: ThreadEvents;
  #earlyDeaths: readonly number[] = [];
  #pingTimer: unknown = null;
  #closed = false;

  /** @param functions the pool's list, to which functions are only added */
  constructor(options: ThreadsOptions, functions: readonly PoolFunction[], events: ThreadsEvents) {
    this.#options = options;
    this.#functions = functions;
    this.#events = events;
    this.#piscina = new Piscina({
      minThreads: options.threads,
      maxThreads: options.threads,
      // A thread must not sleep in Atomics.wait: its sockets and timers would stand still.
      atomics: "disabled",
      recordTiming: false,
      ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
    });
    // Piscina tells here of a thread that died before it could be given its loop; the loop then waits for ever.
    this.#piscina.on("error", (thrown) => this.#notStarted(toError(thrown)));
    this.#toThread = {
      chunk: events.chunk,
      succeeded: events.succeeded,
      failed: events.failed,
      abandoned: events.abandoned,
      notSendable: events.notSendable,
      stray: events.stray,
      ready: (thread) => this.#ready(thread),
      ended: (thread, error) => this.#lose(thread, error),
    };
    for (let i = 0; i < options.threads; i++) this.#seats.push(this.#launch(0));
  }

  get readyCount(): number {
    return this.#seats.filter((seat) => seat.thread.ready).length;
  }

  /**
   * Gives a task to the thread that has the fewest; to one that still imports its module, or still starts, only if no
   * other runs, and to one that stands still only if all do.
   */
  send(task: PoolTask): void {
    const { module } = task.function;
    let best = (this.#seats[0] as Seat).thread;
    let bestRank = best.rankFor(module);
    for (let i = 1; i < this.#seats.length; i++) {
      const { thread } = this.#seats[i] as Seat;
      const rank = thread.rankFor(module);
      if (rank === bestRank ? thread.running >= best.running : rank > bestRank) continue;
      best = thread;
      bestRank = rank;
    }
    best.send(task);
    if (this.#pingTimer === null) this.#schedulePings();
  }

  /** Has all threads import, in the background, the modules that were added to the list. */
  preload(): void {
    // Those that still start are told when they are ready.
    for (const { thread } of this.#seats) if (thread.ready) thread.preload();
  }

  /** All tasks that threads have. */
  get tasks(): PoolTask[] {
    return this.#seats.flatMap((seat) => seat.thread.tasks);
  }

  /** Looks whether a thread's event loop still turns; if not, the thread is lost. */
  probe(thread: TaskThread): void {
    const seat = this.#seatOf(thread);
    // One that is still starting has the time for a start.
    if (seat?.thread.ready === true) seat.watch.probe();
  }

  /** Ends all threads, and whatever runs on them. */
  async close(): Promise<void> {
    this.#closed = true;
    const { clock } = this.#options;
    clock.clearTimeout(this.#pingTimer);
    for (const seat of this.#seats) {
      this.#dismiss(seat);
      seat.thread.stop();
    }
    await atMost(stopGraceMs, Promise.all(this.#seats.map((seat) => seat.thread.end)), clock);
    // Piscina replaces a thread that exits, also one that was lost before, as soon as it is done with destroying.
    await atMost(exitTimeoutMs, Promise.all(this.#lostExits()), clock);
    const terminated = this.#piscina.destroy();
    for (const { thread } of this.#seats) thread.close();
    await atMost(exitTimeoutMs, Promise.all([terminated, ...this.#exits.values()]), clock);
  }

  /** Only while there are tasks: an idle pool sets no timers. */
  #schedulePings(): void {
    const { clock, pingIntervalMs } = this.#options;
    this.#pingTimer = clock.setTimeout(() => {
      const busy = this.#seats.filter(({ thread }) => thread.running > 0 || thread.abandoned > 0);
      for (const { thread } of busy) this.probe(thread);
      if (busy.length > 0) this.#schedulePings();
      else this.#pingTimer = null;
    }, pingIntervalMs);
  }

  #lostExits(): Promise<unknown>[] {
    const living = new Set<unknown>([...this.#piscina.threads, ...this.#seats.map(({ thread }) => thread)]);
    return [...this.#exits].filter(([leaving]) => !living.has(leaving)).map(([, gone]) => gone);
  }

  /** Remembers what must be gone before the pool is closed. */
  #expect(leaving: Worker | PoolThread, gone: Promise<unknown>): void {
    this.#exits.set(
      leaving,
      gone.then(() => this.#exits.delete(leaving)),
    );
  }

  /** @param modulesSkipped how many of the modules, from the start of their list, it is not to import */
  #launch(modulesSkipped: number): Seat {
    const { clock, threadFile = ownFile, maxInFlight, modules, wedgeGraceMs, startTimeoutMs } = this.#options;
    const preloads = new Preloads(modules, modulesSkipped);
    const thread = new PoolThread(
      { piscina: this.#piscina, file: threadFile, slots: maxInFlight, functions: this.#functions, preloads },
      this.#toThread,
    );
    this.#expect(thread, thread.portClosed);
    // Piscina forgets a thread that it terminates for us before that has exited.
    for (const worker of this.#piscina.threads) {
      if (!this.#exits.has(worker)) this.#expect(worker, new Promise((resolve) => worker.once("exit", resolve)));
    }
    return {
      thread,
      watch: new WedgeWatch(thread, clock, wedgeGraceMs, (verdict) => this.#judged(thread, verdict)),
      startTimer: clock.setTimeout(
        () => this.#lose(thread, new Error(`The thread did not start within ${startTimeoutMs} ms`)),
        startTimeoutMs,
      ),
    };
  }

  /**
   * A thread that stands still is terminated only if a caller has given up waiting for one of its tasks: until then it
   * may be computing, which is what threads are for. It gets no more tasks meanwhile, if another can take them.
   */
  #judged(thread: PoolThread, verdict: "alive" | "wedged"): void {
    thread.standsStill = verdict === "wedged";
    const isGivenUp = thread.abandoned > 0 || thread.tasks.some((task) => task.over);
    if (verdict === "alive" || !isGivenUp) return;
    this.#lose(thread, new Error(`The thread's event loop stood still for ${this.#options.wedgeGraceMs} ms`));
  }

  #ready(thread: PoolThread): void {
    const seat = this.#seatOf(thread);
    if (seat === undefined) return;
    this.#options.clock.clearTimeout(seat.startTimer);
    thread.preload();
  }

  #notStarted(error: Error): void {
    const seat = this.#seats.find(({ thread }) => !thread.ready);
    if (seat === undefined) this.#events.stray(error);
    else this.#lose(seat.thread, error);
  }

  #lose(thread: PoolThread, error: Error): void {
    const seat = this.#seatOf(thread);
    if (seat === undefined || this.#closed) return;
    this.#dismiss(seat);
    thread.receiveLast();
    thread.close();
    if (!this.#mayReplace(thread)) {
      this.#closed = true;
      this.#events.exhausted(error);
      return;
    }
    // A module may end its thread when it is imported: ahead of its calls that happens once, not again and again.
    const modulesSkipped = thread.preloads.areUnderWay ? this.#options.modules.length : 0;
    this.#seats[this.#seats.indexOf(seat)] = this.#launch(modulesSkipped);
    this.#events.lost(thread, error);
  }

  #mayReplace(dead: PoolThread): boolean {
    if (dead.ready && (dead.progress !== 0 || dead.preloads.areUnderWay)) return true;
    const { times, exceeded } = addRestart(this.#earlyDeaths, this.#options.clock.now(), {
      maxRestarts: deathsPerSeat * this.#options.threads,
      withinMs: deathPeriodMs,
    });
    this.#earlyDeaths = times;
    return !exceeded;
  }

  #dismiss(seat: Seat): void {
    seat.watch.stop();
    this.#options.clock.clearTimeout(seat.startTimer);
  }

  #seatOf(thread: TaskThread): Seat | undefined {
    return this.#seats.find((seat) => seat.thread === thread);
  }
}
