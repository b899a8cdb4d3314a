/** An item of a {@link Ranking}: it carries its own links. */
export interface Ranked<Item> {
  /** The rank; only the ranking changes it. */
  waiting: number;
  equalBefore: Item | null;
  equalAfter: Item | null;
}

/**
 * Finds the item with the highest rank while ranks change by one at a time. Items of one level are linked, so that
 * every change costs the same regardless of their number. Items of rank 0 are not in it.
 */
export class Ranking<Item extends Ranked<Item>> {
  /** The first item of each level from 1; the last place is never empty. */
  readonly #levels: (Item | null)[] = [];

  /** The item with the highest rank; of several, the last one to reach it. */
  get largest(): Item | null {
    return this.#levels.at(-1) ?? null;
  }

  /** Raises the rank by one. */
  raise(item: Item): void {
    if (item.waiting > 0) this.#unlink(item);
    item.waiting++;
    this.#link(item);
  }

  /** Lowers the rank by one. */
  lower(item: Item): void {
    this.#unlink(item);
    item.waiting--;
    if (item.waiting > 0) this.#link(item);
    while (this.#levels.at(-1) === null) this.#levels.pop();
  }

  #link(item: Item): void {
    const level = item.waiting - 1;
    const first = this.#levels[level] ?? null;
    item.equalAfter = first;
    if (first !== null) first.equalBefore = item;
    if (level === this.#levels.length) this.#levels.push(item);
    else this.#levels[level] = item;
  }

  #unlink(item: Item): void {
    if (item.equalBefore === null) this.#levels[item.waiting - 1] = item.equalAfter;
    else item.equalBefore.equalAfter = item.equalAfter;
    if (item.equalAfter !== null) item.equalAfter.equalBefore = item.equalBefore;
    item.equalBefore = null;
    item.equalAfter = null;
  }
}
