import { maxCallsInFlight } from "../wire/node-protocol.ts";

/** An item kept in slots: the table writes its id. */
export interface Numbered {
  id: number;
}

/**
 * The calls of a gateway at a node, by id. An id is a slot plus a multiple of the number of slots, so that a late
 * message about a call that was given up is not taken for another call's. Not a Map: with thousands of calls coming and
 * going, that keeps deleted ones until the next full collection.
 */
export class CallSlots<Item extends Numbered> {
  protected readonly items: (Item | null)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /**
   * Keeps an item under this id.
   * @returns false if the id is invalid, or its slot is taken
   */
  put(id: number, item: Item): boolean {
    const slot = id % maxCallsInFlight;
    if (!Number.isSafeInteger(id) || id < 0 || this.items[slot]) return false;
    while (this.items.length < slot) this.items.push(null);
    item.id = id;
    this.items[slot] = item;
    this.#size++;
    return true;
  }

  get(id: number): Item | null {
    const item = this.items[id % maxCallsInFlight] ?? null;
    return item !== null && item.id === id ? item : null;
  }

  /**
   * Removes an item.
   * @returns its slot, or -1 if it is not here
   */
  delete(item: Item): number {
    const slot = item.id % maxCallsInFlight;
    if (this.items[slot] !== item) return -1;
    this.items[slot] = null;
    this.#size--;
    return slot;
  }

  /** Removes all items. */
  clear(): Item[] {
    const items = this.items.filter((item) => item !== null);
    this.items.length = 0;
    this.#size = 0;
    return items;
  }
}

/** The gateway's side, which assigns the ids. */
export class NumberedCalls<Item extends Numbered> extends CallSlots<Item> {
  readonly #nextIds: number[] = [];
  readonly #free: number[] = [];

  /** Keeps an item under a new id. There must be room. */
  add(item: Item): void {
    const slot = this.#free.pop() ?? this.items.length;
    const id = this.#nextIds[slot] ?? slot;
    this.#nextIds[slot] = id + maxCallsInFlight;
    this.put(id, item);
  }

  /** Whether an item has, or had, this id. */
  hasGiven(id: unknown): boolean {
    if (!Number.isSafeInteger(id)) return false;
    const next = this.#nextIds[(id as number) % maxCallsInFlight];
    return next !== undefined && (id as number) < next;
  }

  override delete(item: Item): number {
    const slot = super.delete(item);
    if (slot !== -1) this.#free.push(slot);
    return slot;
  }
}
