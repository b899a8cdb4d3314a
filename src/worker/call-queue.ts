/** What a {@link CallQueue} holds: it carries its own links, so that queueing allocates nothing. */
export interface Queued<Item> {
  before: Item | null;
  after: Item | null;
}

/** First in, first out; an item in the middle leaves as cheaply as the first, since callers give up while they wait. */
export class CallQueue<Item extends Queued<Item>> {
  #first: Item | null = null;
  #last: Item | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: Item): void {
    item.before = this.#last;
    item.after = null;
    if (this.#last === null) this.#first = item;
    else this.#last.after = item;
    this.#last = item;
    this.#size++;
  }

  /** Takes the oldest item. */
  shift(): Item | null {
    const item = this.#first;
    if (item !== null) this.remove(item);
    return item;
  }

  /** Takes out an item; one that is in no queue is left as it is. */
  remove(item: Item): void {
    if (item.before === null && item !== this.#first) return;
    if (item.before === null) this.#first = item.after;
    else item.before.after = item.after;
    if (item.after === null) this.#last = item.before;
    else item.after.before = item.before;
    item.before = null;
    item.after = null;
    this.#size--;
  }
}
