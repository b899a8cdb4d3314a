import { messageOf, toError } from "../errors.ts";
import { hearPromises } from "../foreign/hear-promises.ts";
import { shown } from "../shown.ts";
import { type Clock, systemClock } from "./clock.ts";

/** Told of everything that a host's clock does wrong: which method, and what it did. */
export type OnClockFault = (method: keyof Clock, problem: string) => void;

/** What is wrong with a host's clock, as far as using it once shows; null where nothing is. */
export function clockFault(clock: Clock): string | null {
  for (const name of ["now", "systemTime"] as const) {
    try {
      const time: unknown = clock[name]();
      if (isTime(time)) continue;
      hearPromises(time);
      return `must return milliseconds, a finite number, from ${name}(), got ${shown(time)}`;
    } catch (thrown) {
      return `must return milliseconds from ${name}(), but it ${threw(thrown)}`;
    }
  }
  try {
    const timer: unknown = clock.setTimeout(() => undefined, 60_000);
    hearPromises(timer);
    hearPromises(clock.clearTimeout(timer));
  } catch (thrown) {
    return `must set and clear timers, but it ${threw(thrown)}`;
  }
  return null;
}

/**
 * Makes a host's clock as reliable as the machine's. If it throws or returns no number, time stands still until it
 * returns one again, and the machine's date and timers stand in. Time never goes back. A timer runs at most once, never
 * within the call that set it, and not after it was cancelled.
 */
export class HostClock implements Clock {
  readonly #clock: Clock;
  readonly #onFault: OnClockFault;
  #now = Number.NEGATIVE_INFINITY;

  /** @param clock without {@link clockFault} */
  constructor(clock: Clock, onFault: OnClockFault) {
    this.#clock = clock;
    this.#onFault = onFault;
    this.now();
  }

  now(): number {
    const now = this.#read("now");
    if (now === null || now === this.#now) return this.#now;
    if (now > this.#now) this.#now = now;
    else this.#onFault("now", `went back from ${this.#now} to ${now}`);
    return this.#now;
  }

  systemTime(): number {
    return this.#read("systemTime") ?? systemClock.systemTime();
  }

  setTimeout(run: () => void, ms: number): unknown {
    const timer = new HostTimer(run, this.#onFault);
    timer.start(this.#clock, ms);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    if (timer instanceof HostTimer) timer.clear(this.#clock);
  }

  /** What the method returns; null where it throws or that is no time. */
  #read(method: "now" | "systemTime"): number | null {
    try {
      const value: unknown = this.#clock[method]();
      if (isTime(value)) return value;
      hearPromises(value);
      this.#onFault(method, `returned ${shown(value)}`);
    } catch (thrown) {
      hearPromises(thrown);
      this.#onFault(method, threw(thrown));
    }
    return null;
  }
}

class HostTimer {
  #run: (() => void) | null;
  #handle: unknown;
  #fallback: unknown;
  #isStarting = true;
  readonly #onFault: OnClockFault;

  constructor(run: () => void, onFault: OnClockFault) {
    this.#run = run;
    this.#onFault = onFault;
  }

  start(clock: Clock, ms: number): void {
    try {
      this.#handle = clock.setTimeout(() => this.#fire(), ms);
      hearPromises(this.#handle);
    } catch (thrown) {
      hearPromises(thrown);
      this.#onFault("setTimeout", threw(thrown));
      this.#fallback = systemClock.setTimeout(() => this.#fire(), ms);
    }
    this.#isStarting = false;
  }

  clear(clock: Clock): void {
    this.#run = null;
    systemClock.clearTimeout(this.#fallback);
    try {
      hearPromises(clock.clearTimeout(this.#handle));
    } catch (thrown) {
      hearPromises(thrown);
      this.#onFault("clearTimeout", threw(thrown));
    }
  }

  #fire(): void {
    if (this.#isStarting) {
      setImmediate(() => this.#fire());
      return;
    }
    const run = this.#run;
    this.#run = null;
    run?.();
  }
}

const isTime = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

const threw = (thrown: unknown): string => `threw: ${messageOf(toError(thrown))}`;
