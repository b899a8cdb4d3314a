import type { FairPlaces } from "./fair-places.ts";
import { type Linked, LinkedQueue } from "./linked-queue.ts";
import type { ConnectionPart, IdentityPart } from "./parts.ts";
import { Ranking } from "./ranking.ts";

/** An item waiting in a {@link FairQueue}. */
export interface Waiting<Item extends Linked<Item>> extends Linked<Item> {
  /** The connection it belongs to. */
  readonly part: ConnectionPart<Item>;
}

/**
 * Items that wait for one of the {@link FairPlaces}. Identities take turns, the connections of an identity take turns
 * within its turn, and the items of one connection leave in the order in which they came. Connections that may not take
 * a place are skipped; these are few, because each of them holds as many places as are free.
 */
export class FairQueue<Item extends Waiting<Item>> {
  readonly #places: FairPlaces<Item>;
  readonly #turns = new LinkedQueue<IdentityPart<Item>>();
  readonly #ranking = new Ranking<IdentityPart<Item>>();
  #size = 0;

  constructor(places: FairPlaces<Item>) {
    this.#places = places;
  }

  get size(): number {
    return this.#size;
  }

  push(item: Item): void {
    this.#join(item);
    item.part.queue.push(item);
  }

  /** Puts an item that had left back in front of the others of its connection. */
  unshift(item: Item): void {
    this.#join(item);
    item.part.queue.unshift(item);
  }

  /** Takes the next item whose connection may take a place; null if there is none. */
  next(): Item | null {
    if (this.#places.taken >= this.#places.max) return null;
    for (let turns = this.#turns.size; turns > 0; turns--) {
      const identity = this.#turns.first as IdentityPart<Item>;
      const connection = this.#turnIn(identity);
      rotate(this.#turns);
      if (connection === null) continue;
      const item = connection.queue.first as Item;
      rotate(identity.turns);
      this.remove(item);
      return item;
    }
    return null;
  }

  /** Removes an item; does nothing if it is not here. */
  remove(item: Item): void {
    const { part } = item;
    const { identity } = part;
    if (!part.queue.remove(item)) return;
    this.#size--;
    identity.ranking.lower(part);
    if (part.waiting === 0) identity.turns.remove(part);
    if (identity.isHost) identity.waiting--;
    else this.#ranking.lower(identity);
    if (identity.waiting === 0) this.#turns.remove(identity);
  }

  /**
   * Removes the item for which there is no room: the newest of the connection with the most waiting, in the identity
   * with the most waiting. Of equals it is the one that just came, unless the other holds more places.
   *
   * @param newest the item that came last: it leaves if only items of the host program wait, which are never removed
   */
  pushOut(newest: Item): Item {
    const { isHost, waiting } = newest.part.identity;
    const largest = largestOf(this.#ranking);
    const isOther = largest !== null && (!isHost || largest.waiting > waiting);
    const item = isOther ? (largestOf(largest.ranking)?.queue.last ?? newest) : newest;
    this.remove(item);
    return item;
  }

  /** Takes any item, regardless of places; null if there is none. */
  take(): Item | null {
    const item = this.#turns.first?.turns.first?.queue.first ?? null;
    if (item !== null) this.remove(item);
    return item;
  }

  #join({ part }: Item): void {
    const { identity } = part;
    this.#size++;
    if (identity.waiting === 0) this.#turns.push(identity);
    if (part.waiting === 0) identity.turns.push(part);
    identity.ranking.raise(part);
    if (identity.isHost) identity.waiting++;
    else this.#ranking.raise(identity);
  }

  /** The connection whose turn it is, among those that may take a place; it becomes the first. */
  #turnIn(identity: IdentityPart<Item>): ConnectionPart<Item> | null {
    // Usually an identity is skipped as a whole; it may have thousands of connections.
    if (!this.#places.mayTakeAny(identity)) return null;
    const { turns } = identity;
    for (let left = turns.size; left > 0; left--) {
      const connection = turns.first as ConnectionPart<Item>;
      if (this.#places.mayTake(connection)) return connection;
      rotate(turns);
    }
    return null;
  }
}

function largestOf<Part extends { held: number; waiting: number; equalBefore: Part | null; equalAfter: Part | null }>(
  ranking: Ranking<Part>,
): Part | null {
  const { largest } = ranking;
  const other = largest?.equalAfter ?? null;
  return largest !== null && other !== null && other.held > largest.held ? other : largest;
}

function rotate<Item extends Linked<Item>>(turns: LinkedQueue<Item>): void {
  const first = turns.shift();
  if (first !== null) turns.push(first);
}
