/** An item of a {@link LinkedQueue}: it carries its own links, so that queueing allocates nothing. */
export interface Linked<Item> {
  before: Item | null;
  after: Item | null;
}

/**
 * First in, first out. Removing an item from the middle is as cheap as taking the first, since callers give up while
 * they wait.
 */
export class LinkedQueue<Item extends Linked<Item>> {
  #first: Item | null = null;
  #last: Item | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): Item | null {
    return this.#first;
  }

  get last(): Item | null {
    return this.#last;
  }

  push(item: Item): void {
    item.before = this.#last;
    item.after = null;
    if (this.#last === null) this.#first = item;
    else this.#last.after = item;
    this.#last = item;
    this.#size++;
  }

  /** Puts an item in front of all others. */
  unshift(item: Item): void {
    item.before = null;
    item.after = this.#first;
    if (this.#first === null) this.#last = item;
    else this.#first.before = item;
    this.#first = item;
    this.#size++;
  }

  /** Takes the oldest item. */
  shift(): Item | null {
    const item = this.#first;
    if (item !== null) this.remove(item);
    return item;
  }

  /**
   * Removes an item.
   * @returns false, without any change, if it is in no queue
   */
  remove(item: Item): boolean {
    if (item.before === null && item !== this.#first) return false;
    if (item.before === null) this.#first = item.after;
    else item.before.after = item.after;
    if (item.after === null) this.#last = item.before;
    else item.after.before = item.before;
    item.before = null;
    item.after = null;
    this.#size--;
    return true;
  }
}
