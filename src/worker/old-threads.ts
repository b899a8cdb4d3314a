import type { Clock } from "../core/time/clock.ts";
import { atMost } from "../core/time/within.ts";
import type { TaskThread } from "./pool-task.ts";
import type { PoolThread } from "./pool-thread.ts";
import type { WedgeWatch } from "./wedge-watch.ts";

/** A thread, and what watches it. */
export interface Seat {
  readonly thread: PoolThread;
  readonly watch: WedgeWatch;
  /** Of its start; later, of the time left to what it runs. */
  timer: unknown;
  /** Which version of the code it runs; later ones have higher numbers. */
  readonly version: number;
}

// Time for functions whose callers have given up.
const abandonedMs = 5_000;

/** Time for a loop to end by itself before its thread is terminated. */
export const stopGraceMs = 100;

/** Threads of earlier code. They get no more calls, and end when those that they have are over. */
export class OldThreads {
  readonly #clock: Clock;
  readonly #seats = new Map<TaskThread, Seat>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#seats.size;
  }

  get seats(): Iterable<Seat> {
    return this.#seats.values();
  }

  /** How many versions of the code they run. */
  get versions(): number {
    return new Set(this.#versions).size;
  }

  /** Those that run the earliest code. */
  get oldest(): Seat[] {
    const version = Math.min(...this.#versions);
    return [...this.#seats.values()].filter((seat) => seat.version === version);
  }

  find(thread: TaskThread): Seat | undefined {
    return this.#seats.get(thread);
  }

  /** Adds one from which all calls that had not begun were taken back. */
  add(seat: Seat): void {
    this.#clock.clearTimeout(seat.timer);
    seat.timer = null;
    this.#seats.set(seat.thread, seat);
    this.drained(seat);
  }

  /** Ends it if nothing runs there; soon if only functions run there for which nobody waits. */
  drained(seat: Seat): void {
    const { running, abandoned } = seat.thread;
    if (running > 0) return;
    if (abandoned === 0) this.#end(seat);
    else seat.timer ??= this.#clock.setTimeout(() => this.#end(seat), abandonedMs);
  }

  remove({ thread, timer, watch }: Seat): void {
    this.#clock.clearTimeout(timer);
    watch.stop();
    this.#seats.delete(thread);
  }

  #end(seat: Seat): void {
    this.remove(seat);
    const { thread } = seat;
    // It passes on what its functions wrote.
    thread.stop();
    void atMost(stopGraceMs, thread.end, this.#clock).then(() => thread.close());
  }

  get #versions(): number[] {
    return Array.from(this.#seats.values(), ({ version }) => version);
  }
}
