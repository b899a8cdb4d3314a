import type { Clock } from "../../core/time/clock.ts";

/** A service that a node once registered and does not serve now. */
export interface Absence {
  readonly service: string;
  readonly node: string;
}

interface Begun extends Absence {
  /** Whether the node itself said that it no longer serves this. */
  isSaid: boolean;
  /** Null while the time does not run: paused, or over. */
  timer: unknown;
  dueAt: number;
  /** Whether its time was over once, even if it has been given more since. */
  wasOver: boolean;
}

// A timer later than this shows that the process stood still: no node could come back meanwhile.
const heldMs = 500;

/**
 * How long each node has to come back that registered a service and does not serve it now. Time counts only while nodes
 * can come: not while the gateway is cut off, nor while its process stands still.
 */
export class Absences {
  readonly #begun = new Map<string, Begun>();
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #isOver: (absence: Absence) => void;
  #isPaused: boolean;

  /**
   * @param isPaused whether it starts in the state after {@link pause}
   * @param isOver called for each absence that has lasted for `graceMs` milliseconds
   */
  constructor(clock: Clock, graceMs: number, isPaused: boolean, isOver: (absence: Absence) => void) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#isPaused = isPaused;
    this.#isOver = isOver;
  }

  /** The current absences. */
  list(): Absence[] {
    return Array.from(this.#begun.values(), ({ service, node }) => ({ service, node }));
  }

  /** Those whose time was over once, the oldest first. */
  overdue(): Absence[] {
    return Array.from(this.#begun.values()).filter(({ wasOver }) => wasOver);
  }

  /** Starts an absence; for an existing one only `isSaid` can be new. */
  begin(absence: Absence, isSaid: boolean): void {
    const key = keyOf(absence);
    const begun = this.#begun.get(key);
    if (begun !== undefined) {
      begun.isSaid ||= isSaid;
      return;
    }
    const { service, node } = absence;
    const begins: Begun = { service, node, isSaid, timer: null, dueAt: 0, wasOver: false };
    this.#begun.set(key, begins);
    if (!this.#isPaused) this.#run(begins);
  }

  /** Whether the node itself said that it no longer serves the service. */
  isSaid(absence: Absence): boolean {
    return this.#begun.get(keyOf(absence))?.isSaid === true;
  }

  /** Whether it lasts and its time is not over. */
  isRunning(absence: Absence): boolean {
    const begun = this.#begun.get(keyOf(absence));
    return begun !== undefined && (this.#isPaused || begun.timer !== null);
  }

  /** Gives the node its whole time again, if it is over. */
  restart(absence: Absence): void {
    const begun = this.#begun.get(keyOf(absence));
    if (begun !== undefined && begun.timer === null && !this.#isPaused) this.#run(begun);
  }

  /** As {@link restart}, for all nodes of a service. */
  restartAll(service: string): void {
    for (const begun of this.#begun.values()) if (begun.service === service) this.restart(begun);
  }

  /** The node is back, or it has nothing left to come back for. */
  end(absence: Absence): void {
    const key = keyOf(absence);
    const begun = this.#begun.get(key);
    if (begun === undefined) return;
    this.#begun.delete(key);
    this.#clock.clearTimeout(begun.timer);
  }

  /** Nodes cannot come back from now on. */
  pause(): void {
    this.#isPaused = true;
    for (const begun of this.#begun.values()) {
      this.#clock.clearTimeout(begun.timer);
      begun.timer = null;
    }
  }

  /** Nodes can come back again: each has its whole time once more. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    for (const begun of this.#begun.values()) this.#run(begun);
  }

  #run(begun: Begun): void {
    begun.dueAt = this.#clock.now() + this.#graceMs;
    begun.timer = this.#clock.setTimeout(() => {
      begun.timer = null;
      if (this.#clock.now() - begun.dueAt > heldMs) {
        this.#run(begun);
        return;
      }
      begun.wasOver = true;
      this.#isOver({ service: begun.service, node: begun.node });
    }, this.#graceMs);
  }
}

function keyOf({ service, node }: Absence): string {
  return JSON.stringify([service, node]);
}
