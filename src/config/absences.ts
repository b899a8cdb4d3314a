import type { Clock } from "../core/clock.ts";

/** A service that a node once registered and does not serve now. */
export interface Absence {
  readonly service: string;
  readonly node: string;
}

/** How long each node that has registered a service, and does not serve it now, has to come back. */
export class Absences {
  readonly #timers = new Map<string, Absence & { readonly timer: unknown }>();
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #isOver: (absence: Absence) => void;

  /** @param isOver hears of each that has lasted for `graceMs`, milliseconds */
  constructor(clock: Clock, graceMs: number, isOver: (absence: Absence) => void) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#isOver = isOver;
  }

  /** Those that last. */
  list(): Absence[] {
    return Array.from(this.#timers.values(), ({ service, node }) => ({ service, node }));
  }

  /** Does nothing where it has begun already. */
  begin(absence: Absence): void {
    const key = keyOf(absence);
    if (this.#timers.has(key)) return;
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(key);
      this.#isOver(absence);
    }, this.#graceMs);
    this.#timers.set(key, { ...absence, timer });
  }

  /** The node is back, or there is nothing left that it could come back for. */
  end(absence: Absence): void {
    const key = keyOf(absence);
    const begun = this.#timers.get(key);
    if (begun === undefined) return;
    this.#timers.delete(key);
    this.#clock.clearTimeout(begun.timer);
  }
}

function keyOf({ service, node }: Absence): string {
  return JSON.stringify([service, node]);
}
