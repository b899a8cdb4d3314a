import type { Clock } from "../core/clock.ts";

/** How many callers still wait for an answer, and when none does any more. */
export class WaitingCallers {
  readonly #clock: Clock;
  #count = 0;
  #none: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(): void {
    this.#count++;
  }

  delete(): void {
    this.#count--;
    if (this.#count === 0) this.#none?.();
  }

  /** Waits until nobody waits, at most `ms`. */
  async none(ms: number): Promise<void> {
    if (this.#count === 0 || ms === 0) return;
    let timer: unknown;
    await new Promise<void>((resolve) => {
      this.#none = resolve;
      timer = this.#clock.setTimeout(resolve, ms);
    });
    this.#clock.clearTimeout(timer);
    this.#none = null;
  }

  /** Ends the wait of {@link none} now. */
  stopWaiting(): void {
    this.#none?.();
  }
}
