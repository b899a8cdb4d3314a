import type { Clock } from "../../core/time/clock.ts";
import { Quota } from "../../core/time/quota.ts";

/** A refusal that was reported. */
interface Told {
  readonly revision: number;
  readonly at: number;
}

const periodMs = 60_000;
const maxPerPeriod = 100;
const maxRemembered = 1_000;

/**
 * Decides which refused entries to report: each once, at most one a minute for each key, at most a hundred a minute in
 * all. A writer to the bucket can cause thousands of refusals in a second. A refusal held back is reported at a later
 * reading, if the entry is still there.
 */
export class Refusals {
  readonly #clock: Clock;
  readonly #quota: Quota;
  /** The last one of each key. */
  readonly #told = new Map<string, Told>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#quota = new Quota(maxPerPeriod, periodMs, clock);
  }

  /** Whether to report this refusal now. */
  take(key: string, revision: number): boolean {
    const at = this.#clock.now();
    const last = this.#told.get(key);
    if (last !== undefined && (last.revision === revision || at - last.at < periodMs)) return false;
    if (!this.#quota.take()) return false;
    this.#told.delete(key);
    this.#told.set(key, { revision, at });
    const [oldest] = this.#told.keys();
    if (this.#told.size > maxRemembered && oldest !== undefined) this.#told.delete(oldest);
    return true;
  }

  /** A new receiver gets reports from now on. */
  clear(): void {
    this.#told.clear();
  }
}
