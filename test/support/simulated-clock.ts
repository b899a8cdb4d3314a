import { afterEach, expect } from "vitest";
import type { Clock } from "../../src/core/time/clock.ts";

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
}

/** The clocks of the test that runs. */
const clocks = new Set<SimulatedClock>();

// Whatever has ended leaves no timer behind, and what has not is ended by the test, or by whoever opened it for the test.
afterEach(() => {
  const pending = Array.from(clocks, (clock) => clock.pending).filter((count) => count > 0);
  clocks.clear();
  expect(pending, "timers that are left on the test's clocks").toEqual([]);
});

/** A clock that stands still until a test moves it, and on which no test leaves a timer. */
export class SimulatedClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor() {
    clocks.add(this);
  }

  now(): number {
    return this.#now;
  }

  /** The first of January 2026 plus what was advanced. */
  systemTime(): number {
    return Date.UTC(2026, 0, 1) + this.#now;
  }

  setTimeout(run: () => void, ms: number): unknown {
    this.#order += 1;
    const timer = { due: this.#now + Math.max(0, ms), order: this.#order, run };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }

  /** How many timers are set and have not run. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time by `ms`, running every timer that falls due, in order, timers set meanwhile included. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let timer = this.#next(until); timer !== undefined; timer = this.#next(until)) this.#run(timer);
    this.#now = until;
  }

  /** Like {@link advance}, letting promises settle before and after each timer. */
  async advanceAsync(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settled();
    for (let timer = this.#next(until); timer !== undefined; timer = this.#next(until)) {
      this.#run(timer);
      await settled();
    }
    this.#now = until;
  }

  /**
   * Lets time pass as the real one does, or slower where the machine is busy, until `promise` is settled. For what waits
   * for sockets, threads or processes, too.
   */
  async passUntil<Value>(promise: Promise<Value>): Promise<Value> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    promise.then(settle, settle);
    while (!isSettled) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await this.advanceAsync(1);
    }
    return promise;
  }

  #run(timer: Timer): void {
    this.#timers.delete(timer);
    this.#now = timer.due;
    timer.run();
  }

  #next(until: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.due > until) continue;
      if (next === undefined || timer.due < next.due || (timer.due === next.due && timer.order < next.order)) {
        next = timer;
      }
    }
    return next;
  }
}

/** Resolves when the promise callbacks that are due by now have run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
