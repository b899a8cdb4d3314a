import { holds, isFunction, mustTake } from "../argument.ts";

/**
 * The only source of time. Its timer functions are those that XState's `createActor({ clock })` asks for, so one clock
 * drives actors and everything beside them; tests pass a simulated one.
 */
export interface Clock {
  /** Monotonic milliseconds with fractions. For durations, windows and deadlines. */
  now(): number;
  /** Milliseconds since 1970; can jump. For times that people read. */
  systemTime(): number;
  /**
   * Calls `run` once, in `ms` milliseconds. A time longer than the clock can wait, such as `Infinity`, is shortened to
   * the longest it can.
   * @returns the handle for {@link clearTimeout}
   */
  setTimeout(run: () => void, ms: number): unknown;
  /** Cancels a timer of {@link setTimeout}. */
  clearTimeout(timer: unknown): void;
}

/** The longest timer, milliseconds, some 25 days: Node fires a longer one at once. */
export const longestTimer = 2 ** 31 - 1;

// A timer this late means that the process stood still: it computed, was stopped, or had no processor.
const heldMs = 100;

/**
 * A timer that hears everyone before it judges. Node runs timers before it reads sockets and messages of threads: after
 * the process stood still, a timeout would fire although the answer has arrived and is merely unread. A late timer
 * therefore waits until pending input has been read.
 */
class SystemTimer {
  readonly #run: () => void;
  readonly #dueAt: number;
  readonly #timeout: NodeJS.Timeout;
  #immediate: NodeJS.Immediate | undefined;

  constructor(run: () => void, ms: number) {
    this.#run = run;
    this.#dueAt = performance.now() + ms;
    this.#timeout = setTimeout(() => this.#passed(), ms);
  }

  #passed(): void {
    if (performance.now() - this.#dueAt < heldMs) this.#run();
    else this.#immediate = setImmediate(this.#run);
  }

  static is(value: unknown): value is SystemTimer {
    return typeof value === "object" && value !== null && #run in value;
  }

  clear(): void {
    clearTimeout(this.#timeout);
    clearImmediate(this.#immediate);
  }
}

const isNodeTimer = (value: unknown) => typeof (value as Partial<NodeJS.Timeout>).hasRef === "function";
const isNumber = (value: unknown) => typeof value === "number" && !Number.isNaN(value);

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  systemTime: () => Date.now(),
  setTimeout(run, ms) {
    mustTake("setTimeout", "a function", run, isFunction);
    mustTake("setTimeout", "a number of milliseconds", ms, isNumber);
    return new SystemTimer(run, Math.min(ms, longestTimer));
  },
  clearTimeout(timer) {
    if (SystemTimer.is(timer)) timer.clear();
    else if (holds(isNodeTimer, timer)) clearTimeout(timer as NodeJS.Timeout);
  },
};
