import { type Linked, LinkedQueue } from "../core/fair/linked-queue.ts";

/** An item of a {@link ThreadInbox}. */
export interface Sent<Item> extends Linked<Item> {
  /** The inbox's number of looks when the item was sent. */
  sentAtLook: number;
}

const roomAtFirst = 64;
// Enough to keep a thread busy while its answers travel, and few enough to wait behind: 512 calls that return at once
// take less than a millisecond.
const maxRoom = 512;

/**
 * Tasks sent to a thread that it has not begun. It is kept short, because later tasks wait behind it: as many calls as
 * the thread begins between two looks, so that each waits for a few milliseconds at most.
 */
export class ThreadInbox<Item extends Sent<Item>> {
  readonly #items = new LinkedQueue<Item>();
  #room = roomAtFirst;
  #wasFull = false;
  #looks = 0;

  get first(): Item | null {
    return this.#items.first;
  }

  get last(): Item | null {
    return this.#items.last;
  }

  /** Whether no more should be sent for now. */
  get isFull(): boolean {
    return this.#items.size >= this.#room;
  }

  /** A task has to wait because it is full. */
  refuse(): void {
    this.#wasFull = true;
  }

  push(item: Item): void {
    item.sentAtLook = this.#looks;
    this.#items.push(item);
  }

  /** An item was begun or taken back. */
  remove(item: Item): void {
    this.#items.remove(item);
  }

  /**
   * Checks the progress, every few milliseconds.
   *
   * @param begun how much the thread has done since the last look
   * @returns how many items to take back from the end: all of them if the thread does nothing at all
   */
  look(begun: number): number {
    const { first, size } = this.#items;
    const isLate = first !== null && first.sentAtLook < this.#looks;
    this.#looks++;
    if (isLate) {
      this.#room = Math.max(1, Math.min(this.#room, begun));
      return begun === 0 ? size : Math.max(0, size - this.#room);
    }
    if (this.#wasFull) this.#room = Math.min(maxRoom, this.#room * 2);
    this.#wasFull = false;
    return 0;
  }
}
