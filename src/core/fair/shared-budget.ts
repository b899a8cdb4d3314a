/** A holder of a part of a {@link SharedBudget}. */
export interface BudgetHolder {
  /** How much of the budget it holds; only the budget changes it. */
  held: number;
}

/**
 * An amount shared by many, such as memory. No holder may have more of it than is free (the dynamic thresholds of
 * Choudhury and Hahne): one alone gets half, n get 1/(n+1) each, so that something is left for the next one.
 */
export class SharedBudget {
  readonly #max: number;
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** The amount that all of them hold. */
  get used(): number {
    return this.#used;
  }

  /** Whether `holder` may {@link take} this much more. */
  hasRoomFor(holder: BudgetHolder, amount: number): boolean {
    return holder.held + amount <= this.#max - this.#used;
  }

  /** Takes an amount even if there is no room: ask {@link hasRoomFor} first if that matters. */
  take(holder: BudgetHolder, amount: number): void {
    holder.held += amount;
    this.#used += amount;
  }

  /** Returns an amount taken before. */
  giveBack(holder: BudgetHolder, amount: number): void {
    holder.held -= amount;
    this.#used -= amount;
  }
}
