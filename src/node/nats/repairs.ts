import { type Backoff, backoffMs } from "../../core/backoff.ts";
import type { Clock } from "../../core/clock.ts";

/** What {@link Repairs} need. */
export interface RepairsOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** The entry is to be put again now. */
  due(key: string): void;
}

/** The repairs of one key. */
interface Repair {
  /** How many there were, each soon after the one before. */
  readonly count: number;
  readonly at: number;
  /** Before this there is no other. */
  readonly nextAt: number;
}

/** How long after a repair the next one of the same entry comes at the earliest. */
const repairBackoff: Backoff = { firstMs: 1_000, maxMs: 300_000 };

/** An entry that stood so long after its repair is repaired at once again. Longer than any wait, jitter included. */
export const calmMs = 600_000;

/**
 * When entries that somebody spoilt are put again: at once, and each further time later. Two gateways of different
 * signing keys would otherwise overwrite each other's entries without end, as fast as the server can.
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

  /** Nobody wants the entry any more. */
  forget(key: string): void {
    this.#byKey.delete(key);
    this.#options.clock.clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }

  /** Lets nothing wait any more. @returns the keys that did */
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
