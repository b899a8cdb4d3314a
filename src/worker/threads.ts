import { addRestart } from "../actor/supervisor/restart.ts";
import { atMost } from "../core/time/within.ts";
import { FreshThreads } from "./fresh-threads.ts";
import type { PoolFunction } from "./functions/pool-function.ts";
import { mostNested } from "./nested-tasks.ts";
import { OldThreads, type Seat, stopGraceMs } from "./old-threads.ts";
import { poolNotRunning } from "./pool-refusal.ts";
import type { PoolTask, TaskThread } from "./pool-task.ts";
import { PoolThread, type ThreadListener } from "./pool-thread.ts";
import { Preloads } from "./preloads.ts";
import { WaitingCalls } from "./waiting-calls.ts";
import { isAwaited, WedgeWatch } from "./wedge-watch.ts";
import type { PoolSettings } from "./worker-pool-options.ts";

/** The options that {@link Threads} needs. */
export type ThreadsOptions = Pick<
  PoolSettings,
  | "name"
  | "clock"
  | "threads"
  | "maxInFlight"
  | "wedgeGraceMs"
  | "pingIntervalMs"
  | "startTimeoutMs"
  | "loadTimeoutMs"
  | "resourceLimits"
  | "threadFile"
  | "modules"
  | "maxOutputBytesPerSecond"
>;

/** Callbacks of {@link Threads} to the pool. */
export interface ThreadsListener
  extends Pick<
    ThreadListener,
    "chunk" | "succeeded" | "failed" | "abandoned" | "notSendable" | "stray" | "outputDropped"
  > {
  /** Tasks were taken back from threads that do not get to them; the newest of each thread first. */
  takenBack(tasks: readonly PoolTask[]): void;
  /** A thread that was full has room. */
  hasRoom(): void;
  /** A thread is gone and already replaced; the pool takes its tasks from it. */
  lost(thread: PoolThread, error: Error): void;
  /** Threads keep dying before they have done anything: there will be no more. */
  exhausted(error: Error): void;
}

const ownFile = new URL("./thread/thread-entry.cjs", import.meta.url);

// Limits the starts of a thread that cannot start; OTP's restart intensity, for each seat.
const deathsPerSeat = 3;
const deathPeriodMs = 5_000;
// How often the progress of threads is checked.
const lookIntervalMs = 4;
// How long calls wait for a blocked thread when the others have failed to import their module: a computation may be
// long, and one of the others can be replaced at once.
const patienceMs = 1_000;
// A module that cannot be imported must not replace threads endlessly.
const renewalsPerModule = 3;
// Time for the calls of a thread that is to be replaced.
const drainMs = 1_000;
// Time for terminated threads to exit; a thread in a blocking system call cannot be interrupted.
const exitTimeoutMs = 5_000;

/**
 * Keeps a fixed number of threads alive. {@link renew} puts fresh ones beside them, which take over; those that served
 * before end when their calls have ended.
 */
export class Threads {
  readonly #options: ThreadsOptions;
  readonly #functions: readonly PoolFunction[];
  readonly #events: ThreadsListener;
  /** The threads that get calls. */
  #seats: Seat[] = [];
  /** Threads that are to take over. */
  #fresh: { readonly seats: Seat[]; readonly threads: FreshThreads } | null = null;
  readonly #old: OldThreads;
  #version = 0;
  readonly #waiting = new WaitingCalls();
  /** Threads that have not gone: lost ones outlive their seats. */
  readonly #living = new Set<PoolThread>();
  readonly #toThread: ThreadListener;
  #earlyDeaths: readonly number[] = [];
  /** Times at which threads were replaced because they could not import a module, by module. */
  readonly #renewals = new Map<string, readonly number[]>();
  #pingTimer: unknown = null;
  #lookTimer: unknown = null;
  #closed = false;

  /** @param functions the pool's list of functions, by number; it only grows */
  constructor(options: ThreadsOptions, functions: readonly PoolFunction[], events: ThreadsListener) {
    this.#options = options;
    this.#functions = functions;
    this.#events = events;
    this.#old = new OldThreads(options.clock);
    this.#toThread = {
      chunk: events.chunk,
      succeeded: events.succeeded,
      failed: events.failed,
      abandoned: events.abandoned,
      notSendable: events.notSendable,
      stray: events.stray,
      outputDropped: events.outputDropped,
      importing: (thread, module) => {
        if (this.#closed) return;
        if (!thread.imports.has(module)) thread.imports.set(module, options.clock.now());
        if (this.#pingTimer === null) this.#schedulePings();
      },
      released: () => events.hasRoom(),
      // Not within its own last message.
      drained: (thread) => setImmediate(() => this.#drained(thread)),
      loaded: (thread, called, outcome) => this.#fresh?.threads.loaded(thread, called, outcome),
      ready: (thread) => this.#ready(thread),
      ended: (thread, error) => this.#lose(thread, error),
    };
    for (let i = 0; i < options.threads; i++) this.#seats.push(this.#launch([], 0));
  }

  get readyCount(): number {
    return this.#seats.filter((seat) => seat.thread.ready).length;
  }

  /** Threads of earlier code, which still run calls. */
  get old(): Pick<OldThreads, "count" | "versions"> {
    return this.#old;
  }

  /** Whether any thread has room. */
  get haveRoom(): boolean {
    for (const { thread } of this.#seats) if (thread.hasRoom) return true;
    return false;
  }

  /**
   * Gives a task to a thread that can run it soonest: of those, the one with the fewest tasks. While none of them has
   * room, the task waits for one: a thread that only seems busy is free sooner than an import ends.
   *
   * @returns false if no thread has room
   */
  send(task: PoolTask): boolean {
    const { module } = task.function;
    const thread = this.#waiting.has(module) ? null : this.#threadFor(module);
    if (thread !== null) thread.send(task);
    else if (this.haveRoom) this.#waiting.push(task);
    else return false;
    if (this.#pingTimer === null) this.#schedulePings();
    if (this.#lookTimer === null) this.#scheduleLook();
    return true;
  }

  /** Sends waiting tasks to threads that have room by now. */
  sendWaiting(): void {
    for (const module of this.#waiting.modules) {
      for (let task = this.#waiting.first(module); task !== null; task = this.#waiting.first(module)) {
        const thread = this.#threadFor(module);
        if (thread === null) break;
        this.#waiting.withdraw(task);
        thread.send(task);
      }
    }
  }

  /**
   * Of the threads that can run a function of this module soonest, the one with the fewest tasks; null while none of
   * them has room. A thread that failed to import the module is chosen only if all others stand still or there are
   * none.
   */
  #threadFor(module: string): PoolThread | null {
    let best: PoolThread | null = null;
    let bestRank = Number.POSITIVE_INFINITY;
    let spoiled: PoolThread | null = null;
    let isWorthWaiting = false;
    for (const { thread } of this.#seats) {
      if (thread.isRetiring) continue;
      if (thread.isSpoiledFor(module)) {
        if (thread.hasRoom && (spoiled === null || thread.running < spoiled.running)) spoiled = thread;
        continue;
      }
      isWorthWaiting ||= !this.#isStuck(thread);
      const rank = thread.rankFor(module);
      if (rank > bestRank) continue;
      if (rank < bestRank) best = null;
      bestRank = rank;
      if (thread.hasRoom && (best === null || thread.running < best.running)) best = thread;
    }
    return best ?? (isWorthWaiting ? null : spoiled);
  }

  #isStuck({ heldSince }: PoolThread): boolean {
    return heldSince !== null && this.#options.clock.now() - heldSince >= patienceMs;
  }

  /** Makes all threads import in the background the modules added to the list. */
  preload(): void {
    // Threads that are still starting get the list when they are ready.
    for (const { thread } of [...this.#seats, ...(this.#fresh?.seats ?? [])]) {
      if (thread.ready) thread.preload(this.#options.clock.now());
    }
  }

  /** Starts as many threads again, which get no calls until they {@link takeOver}. */
  renew(): FreshThreads {
    const { threads: count, clock, loadTimeoutMs } = this.#options;
    const seats = Array.from({ length: count }, () => this.#launch([], this.#version + 1));
    const threads = new FreshThreads(
      seats.map(({ thread }) => thread),
      clock,
      loadTimeoutMs,
    );
    this.#fresh = { seats, threads };
    return threads;
  }

  /** New calls go to the fresh threads, and so do those that had not begun. */
  takeOver(): void {
    if (this.#fresh === null) return;
    const before = this.#seats;
    this.#seats = this.#fresh.seats;
    this.#fresh = null;
    this.#version++;
    const taken = before.flatMap(({ thread }) => thread.retire());
    for (const seat of before) this.#old.add(seat);
    if (taken.length > 0) this.#events.takenBack(taken);
    // Some may still import modules ahead of calls.
    if (this.#pingTimer === null) this.#schedulePings();
    this.#events.hasRoom();
  }

  /** The fresh threads are not wanted. */
  discard(): void {
    for (const seat of this.#fresh?.seats ?? []) {
      this.#dismiss(seat);
      seat.thread.close();
    }
    this.#fresh = null;
  }

  /** Ends the threads of the earliest code, and what runs there. */
  endOldest(error: Error): void {
    for (const seat of this.#old.oldest) this.#loseOld(seat, error);
  }

  /** All tasks on threads, and those that wait for threads. */
  get tasks(): PoolTask[] {
    return [...this.#running.flatMap(({ thread }) => thread.tasks), ...this.#waiting.tasks];
  }

  /**
   * Replaces a thread that cannot import a module because an earlier import failed: the cause may have passed. The
   * replacement happens when its running work has ended, at most {@link renewalsPerModule} times in a while for each
   * module.
   *
   * @returns whether it will be replaced: then tasks that need the module may be sent again
   */
  replaceFor(module: string, thread: PoolThread): boolean {
    const seat = this.#seatOf(thread);
    if (this.#closed || seat === undefined) return false;
    // A thread of earlier code, for one, takes no more calls.
    if (thread.isRetiring) return true;
    const { clock } = this.#options;
    const { times, exceeded } = addRestart(this.#renewals.get(module) ?? [], clock.now(), {
      maxRestarts: renewalsPerModule,
      withinMs: deathPeriodMs,
    });
    if (exceeded) return false;
    this.#renewals.set(module, times);
    const taken = thread.retire();
    if (taken.length > 0) this.#events.takenBack(taken);
    if (thread.running === 0) this.#replace(thread);
    else seat.timer = clock.setTimeout(() => this.#keep(thread), drainMs);
    return true;
  }

  /** An endless import is given up together with its thread, once nothing else runs there. */
  #replaceIfStuck(thread: PoolThread): void {
    if (thread.hasBegunAny) return;
    const begunBefore = this.#begunBefore;
    const { oldest } = thread.preloads;
    const imports = oldest === null ? thread.imports : [...thread.imports, [oldest.module, oldest.since] as const];
    for (const [module, since] of imports) if (since <= begunBefore && this.replaceFor(module, thread)) return;
  }

  /** Imports begun before this time take too long. */
  get #begunBefore(): number {
    return this.#options.clock.now() - this.#options.loadTimeoutMs;
  }

  /** Its work takes too long to wait for: the thread stays. */
  #keep(thread: PoolThread): void {
    if (this.#closed || this.#serving(thread) === undefined) return;
    thread.isRetiring = false;
    this.#events.hasRoom();
  }

  #replace(thread: PoolThread): void {
    const seat = this.#serving(thread);
    if (seat === undefined || this.#closed || !thread.isRetiring || thread.running > 0) return;
    this.#dismiss(seat);
    thread.close();
    // For imports ahead of calls, an endless one costs one thread, not one after the other.
    this.#launchFor(seat, thread.preloads.begunUntil(this.#begunBefore));
    this.#events.lost(
      thread,
      new Error("The thread was replaced: the import of a module has failed on it, or never ended"),
    );
  }

  #drained(thread: PoolThread): void {
    const old = this.#old.find(thread);
    if (old === undefined) this.#replace(thread);
    else if (!this.#closed) this.#old.drained(old);
  }

  /** Checks whether a thread's event loop still turns; if not, the thread is lost. */
  probe(thread: TaskThread): void {
    const seat = this.#seatOf(thread);
    // A starting thread gets the time for a start.
    if (seat?.thread.ready === true && !this.#closed) seat.watch.probe();
  }

  /** Ends all threads and everything that runs on them. */
  async close(): Promise<void> {
    this.#closed = true;
    const { clock } = this.#options;
    clock.clearTimeout(this.#pingTimer);
    clock.clearTimeout(this.#lookTimer);
    this.#fresh?.threads.end(poolNotRunning(this.#options.name));
    const seats = [...this.#running, ...(this.#fresh?.seats ?? [])];
    for (const seat of seats) {
      this.#dismiss(seat);
      seat.thread.stop();
    }
    await atMost(stopGraceMs, Promise.all(seats.map((seat) => seat.thread.end)), clock);
    for (const thread of this.#living) thread.close();
    await atMost(exitTimeoutMs, Promise.all(Array.from(this.#living, ({ gone }) => gone)), clock);
  }

  /** The threads that have calls, or may get some. */
  get #running(): Seat[] {
    return [...this.#seats, ...this.#old.seats];
  }

  /** Only while tasks wait, in inboxes or for a thread: an idle pool sets no timers. */
  #scheduleLook(): void {
    // What is heard after the end, a thread that is only ready now for one, must not set a timer that no one clears.
    if (this.#closed) return;
    this.#lookTimer = this.#options.clock.setTimeout(() => {
      this.#lookTimer = null;
      const now = this.#options.clock.now();
      for (const seat of this.#seats) {
        const taken = seat.thread.look(now);
        // Its answer to the ping, or any other message, shows that it is free again.
        if (seat.thread.isHeld) seat.watch.probe();
        if (taken.length > 0) this.#events.takenBack(taken);
      }
      // A begun task without an answer has left its thread's inbox unnoticed.
      this.#events.hasRoom();
      if (this.#lookTimer === null && this.#isAnyAwaited) this.#scheduleLook();
    }, lookIntervalMs);
  }

  get #isAnyAwaited(): boolean {
    return !this.#waiting.isEmpty || this.#seats.some(({ thread }) => thread.isAwaited);
  }

  /** Only while there are tasks: an idle pool sets no timers. */
  #schedulePings(): void {
    if (this.#closed) return;
    const { clock, pingIntervalMs } = this.#options;
    this.#pingTimer = clock.setTimeout(() => {
      const busy = this.#running.filter(({ thread }) => thread.running > 0 || thread.abandoned > 0 || thread.isHeld);
      for (const { thread } of busy) this.probe(thread);
      for (const { thread } of this.#seats) this.#replaceIfStuck(thread);
      const areImporting = this.#seats.some(({ thread }) => thread.preloads.areUnderWay || thread.imports.size > 0);
      if (busy.length > 0 || areImporting) this.#schedulePings();
      else this.#pingTimer = null;
    }, pingIntervalMs);
  }

  /** Starts a thread in the place of another. */
  #launchFor(seat: Seat, modulesSkipped: readonly string[]): void {
    this.#seats[this.#seats.indexOf(seat)] = this.#launch(modulesSkipped, this.#version);
  }

  /** @param modulesSkipped modules that it must not import ahead of their calls */
  #launch(modulesSkipped: readonly string[], version: number): Seat {
    const { clock, threadFile = ownFile, maxInFlight, modules, wedgeGraceMs, startTimeoutMs } = this.#options;
    const { maxOutputBytesPerSecond, resourceLimits } = this.#options;
    const thread = new PoolThread(
      {
        file: threadFile,
        // And nested calls, of which the pool holds this many: no call ever waits for a slot.
        slots: maxInFlight + mostNested(maxInFlight),
        resourceLimits,
        functions: this.#functions,
        preloads: new Preloads(modules, modulesSkipped),
        maxOutputBytesPerSecond,
      },
      this.#toThread,
    );
    this.#living.add(thread);
    void thread.gone.then(() => this.#living.delete(thread));
    return {
      thread,
      watch: new WedgeWatch(thread, clock, wedgeGraceMs, (verdict) => this.#judged(thread, verdict)),
      timer: clock.setTimeout(
        () => this.#lose(thread, new Error(`The thread did not start within ${startTimeoutMs} ms`)),
        startTimeoutMs,
      ),
      version,
    };
  }

  /**
   * Terminates a blocked thread only if no caller waits for its work: until then it may be computing, which is what
   * threads are for.
   */
  #judged(thread: PoolThread, verdict: "alive" | "wedged"): void {
    const { oldest } = thread.preloads;
    const isImporting = oldest !== null && this.#options.clock.now() - oldest.since < this.#options.loadTimeoutMs;
    if (verdict === "alive" || isAwaited(thread.current, thread.tasks, isImporting)) return;
    this.#lose(thread, new Error(`The thread's event loop stood still for ${this.#options.wedgeGraceMs} ms`));
  }

  #ready(thread: PoolThread): void {
    const seat = this.#seatOf(thread);
    if (seat === undefined) return;
    const { clock } = this.#options;
    clock.clearTimeout(seat.timer);
    seat.timer = null;
    thread.preload(clock.now());
    if (this.#fresh?.seats.includes(seat) === true) {
      this.#fresh.threads.ready(thread);
      return;
    }
    if (this.#pingTimer === null && thread.preloads.areUnderWay) this.#schedulePings();
    this.#events.hasRoom();
  }

  #lose(thread: PoolThread, error: Error): void {
    const seat = this.#seatOf(thread);
    if (seat === undefined || this.#closed) return;
    if (this.#old.find(thread) !== undefined) {
      this.#loseOld(seat, error);
      return;
    }
    this.#dismiss(seat);
    thread.receiveLast();
    thread.close();
    if (this.#fresh?.seats.includes(seat) === true) {
      this.#fresh.threads.lost(thread, error);
      return;
    }
    if (!this.#mayReplace(thread)) {
      this.#closed = true;
      this.#events.exhausted(error);
      return;
    }
    // A module may end its thread when imported: for imports ahead of calls this happens once, not repeatedly.
    this.#launchFor(seat, thread.preloads.begunUntil());
    this.#events.lost(thread, error);
  }

  /** A thread of earlier code is gone, and needs no other. */
  #loseOld(seat: Seat, error: Error): void {
    this.#old.remove(seat);
    seat.thread.receiveLast();
    seat.thread.close();
    this.#events.lost(seat.thread, error);
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
    this.#options.clock.clearTimeout(seat.timer);
  }

  #seatOf(thread: TaskThread): Seat | undefined {
    return this.#serving(thread) ?? this.#old.find(thread) ?? this.#fresh?.seats.find((seat) => seat.thread === thread);
  }

  #serving(thread: TaskThread): Seat | undefined {
    return this.#seats.find((seat) => seat.thread === thread);
  }
}
