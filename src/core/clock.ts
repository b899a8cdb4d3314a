/**
 * The only source of time. It has the two functions that XState's `createActor({ clock })` asks for, so one clock
 * drives actors and everything beside them; tests pass a simulated one.
 */
export interface Clock {
  /** Monotonic milliseconds with fractions; never goes back. For durations, windows and deadlines. */
  now(): number;
  /** Milliseconds since 1970; can jump. For what people read. */
  systemTime(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  systemTime: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
