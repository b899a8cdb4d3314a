import type { Clock } from "./clock.ts";

/** Allows at most `max` per period: limits events that clients can trigger at will. */
export class Quota {
  readonly #max: number;
  readonly #periodMs: number;
  readonly #clock: Clock;
  #beganAt = Number.NEGATIVE_INFINITY;
  #taken = 0;

  /** @param periodMs milliseconds; a period begins with the first take after the last one */
  constructor(max: number, periodMs: number, clock: Clock) {
    this.#max = max;
    this.#periodMs = periodMs;
    this.#clock = clock;
  }

  /** Takes one; false if none is left in this period. */
  take(): boolean {
    const now = this.#clock.now();
    if (now - this.#beganAt >= this.#periodMs) {
      this.#beganAt = now;
      this.#taken = 0;
    }
    if (this.#taken >= this.#max) return false;
    this.#taken += 1;
    return true;
  }
}
