import type { Clock } from "../../core/clock.ts";
import { Quota } from "../../core/quota.ts";

/** A refusal that was told. */
interface Told {
  readonly revision: number;
  readonly at: number;
}

const periodMs = 60_000;
const maxPerPeriod = 100;
const maxRemembered = 1_000;

/**
 * Which refused entries are told: each once, of one key one a minute, of all keys a hundred a minute. Whoever can write
 * to the bucket can have thousands refused in a second. What is held back is told when it is read again, if it is still
 * there.
 */
export class Refusals {
  readonly #clock: Clock;
  readonly #quota: Quota;
  /** The last of each key. */
  readonly #told = new Map<string, Told>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#quota = new Quota(maxPerPeriod, periodMs, clock);
  }

  /** Whether this refusal is to be told, now. */
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

  /** Somebody else is told from now on. */
  clear(): void {
    this.#told.clear();
  }
}
