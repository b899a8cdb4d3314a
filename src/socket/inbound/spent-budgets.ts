import { FrameBudget, type FrameLimit } from "./frame-limit.ts";

// Forgetting one restores its whole budget: an attacker with this many networks need not reconnect anyway.
const maxRemembered = 10_000;

/**
 * The remaining {@link FrameBudget} of identities whose sockets closed or used it up: a client that reconnects
 * continues with it. It is forgotten once it has recovered.
 */
export class SpentBudgets {
  readonly #limit: Required<FrameLimit>;
  /** Those closed first come first. */
  readonly #spent = new Map<string, FrameBudget>();

  constructor(limit: Required<FrameLimit>) {
    this.#limit = limit;
  }

  /** The number of remembered identities. */
  get size(): number {
    return this.#spent.size;
  }

  /**
   * The budget of a new socket.
   * @param now milliseconds of a monotonic clock, as in all its methods
   */
  open(identity: string, now: number): FrameBudget {
    const budget = new FrameBudget(this.#limit, now);
    const spent = this.#spent.get(identity);
    if (spent === undefined) return budget;
    if (spent.hasRecovered(now)) this.#spent.delete(identity);
    else budget.goOnFrom(spent);
    return budget;
  }

  /** A socket has closed, or used up its budget. */
  keep(identity: string, budget: FrameBudget, now: number): void {
    if (budget.hasRecovered(now)) return;
    const known = this.#spent.get(identity);
    this.#spent.delete(identity);
    // The lowest of several sockets: otherwise a calm one would make up for a busy one.
    this.#spent.set(identity, known === undefined || known.leftAt(now) > budget.leftAt(now) ? budget : known);
    for (const [first, spent] of this.#spent) {
      if (this.#spent.size <= maxRemembered && !spent.hasRecovered(now)) return;
      this.#spent.delete(first);
    }
  }
}
