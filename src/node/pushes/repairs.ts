import { type Backoff, backoffMs } from "../../core/time/backoff.ts";
import type { Clock } from "../../core/time/clock.ts";

/** The options of {@link Repairs}. */
export interface RepairsOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** The entry must be put again now. */
  due(key: string): void;
}

/** The repairs of one key. */
interface Repair {
  /** How many there were, each soon after the one before. */
  readonly count: number;
  readonly at: number;
  /** No repair before this time. */
  readonly nextAt: number;
}

/** The shortest time between repairs of the same entry. */
const repairBackoff: Backoff = { firstMs: 1_000, maxMs: 300_000 };

/**
 * An entry that lasted this long after its repair is repaired at once again. Longer than any wait, including jitter.
 */
export const calmMs = 600_000;

/**
 * When to restore entries that another writer spoilt: at once, and later each further time. Otherwise two gateways with
 * different signing keys would overwrite each other's entries endlessly, as fast as the server can.
 */
export class Repairs {
  readonly #options: RepairsOptions;
  readonly #byKey = new Map<string, Repair>();
  readonly #timers = new Map<string, unknown>();

  constructor(options: RepairsOptions) {
    this.#options = options;
  }

  /** The entry has to be put again. */
  ask(key: string): void {
    if (this.#timers.has(key)) return;
    const { clock } = this.#options;
    const now = clock.now();
    const last = this.#byKey.get(key);
    if (last === undefined || now >= last.nextAt) {
      this.#repair(key);
      return;
    }
    const timer = clock.setTimeout(() => {
      this.#timers.delete(key);
      this.#repair(key);
    }, last.nextAt - now);
    this.#timers.set(key, timer);
  }

  /** The entry is no longer wanted. */
  forget(key: string): void {
    this.#byKey.delete(key);
    this.#options.clock.clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }

  /**
   * Ends all waiting.
   * @returns the keys that waited
   */
  stop(): string[] {
    for (const timer of this.#timers.values()) this.#options.clock.clearTimeout(timer);
    const keys = [...this.#timers.keys()];
    this.#timers.clear();
    return keys;
  }

  #repair(key: string): void {
    const { clock, random, due } = this.#options;
    const at = clock.now();
    const last = this.#byKey.get(key);
    const count = last === undefined || at - last.at >= calmMs ? 1 : last.count + 1;
    this.#byKey.set(key, { count, at, nextAt: at + backoffMs(repairBackoff, Math.min(count, 30), random()) });
    due(key);
  }
}
