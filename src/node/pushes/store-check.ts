import { toError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { EntryStore } from "./entry-store.ts";

const everyMs = 5_000;

/**
 * Asks a store every five seconds whether it is still there, until it is not or this is stopped. A watch of a bucket that
 * was deleted, or whose servers have no quorum, stays silent as if nothing changed.
 */
export class StoreCheck {
  readonly #store: EntryStore;
  readonly #clock: Clock;
  readonly #failed: () => void;
  #timer: unknown;
  #isStopped = false;
  #problem: Error | null = null;

  /** @param failed called once, when the store is gone or fails */
  constructor(store: EntryStore, clock: Clock, failed: () => void) {
    this.#store = store;
    this.#clock = clock;
    this.#failed = failed;
    this.#wait();
  }

  /** Why the store cannot be followed any longer; null as long as it can. */
  get problem(): Error | null {
    return this.#problem;
  }

  stop(): void {
    this.#isStopped = true;
    this.#clock.clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.#store.check().then(
        () => {
          if (!this.#isStopped) this.#wait();
        },
        (thrown: unknown) => {
          if (this.#isStopped) return;
          this.#problem = toError(thrown);
          this.#failed();
        },
      );
    }, everyMs);
  }
}
