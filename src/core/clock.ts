/**
 * The only source of time. It has the two functions that XState's `createActor({ clock })` asks for, so one clock
 * drives actors and everything beside them; tests pass a simulated one.
 */
export interface Clock {
  /** Monotonic milliseconds with fractions; never goes back. For durations, windows and deadlines. */
  now(): number;
  /** Milliseconds since 1970; can jump. For what people read. */
  systemTime(): number;
  /** A time that is longer than the clock can wait, such as `Infinity`, is waited for as long as it can. */
  /** Calls `run` once, in `ms` milliseconds. @returns what {@link clearTimeout} takes */
  setTimeout(run: () => void, ms: number): unknown;
  /** Calls off what {@link setTimeout} returned. */
  clearTimeout(timer: unknown): void;
}

// Node fires a timer of more than 2^31 - 1 ms, some 25 days, at once.
const longestTimer = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  systemTime: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, Math.min(ms, longestTimer)),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
