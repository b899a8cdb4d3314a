import type { SharedEntry } from "./shared-entry.ts";

/** An entry of the bucket that was signed by a gateway. */
export interface KnownEntry {
  readonly entry: SharedEntry;
  /** The bucket's revision of it. */
  readonly revision: number;
  /** Whether the receiver knows of it. */
  isTold: boolean;
}

/** The newest entry of each key that this gateway has seen: older ones are no longer believed. */
export class KnownEntries {
  /** The most entries other than removals, and as many removals beside them. */
  readonly max: number;
  readonly #entries = new Map<string, KnownEntry>();
  #removed = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** Whether there is no room for another entry other than a removal. */
  get isFull(): boolean {
    return this.#entries.size - this.#removed >= this.max;
  }

  get(key: string): KnownEntry | undefined {
    return this.#entries.get(key);
  }

  set(key: string, known: KnownEntry): void {
    this.delete(key);
    this.#entries.set(key, known);
    if (isRemoved(known)) this.#removed += 1;
  }

  delete(key: string): void {
    const known = this.#entries.get(key);
    if (known === undefined) return;
    this.#entries.delete(key);
    if (isRemoved(known)) this.#removed -= 1;
  }

  /** The receiver has changed and knows of none. */
  untell(): void {
    for (const known of this.#entries.values()) known.isTold = false;
  }

  /** The keys of entries, other than removals, that have not changed since this time. */
  since(time: number): string[] {
    const old = [...this.#entries].filter(([, known]) => !isRemoved(known) && known.entry.stamp <= time);
    return old.map(([key]) => key);
  }

  /** Removals that need not be remembered: those before this stamp, and the oldest of too many. */
  forgettable(before: number): [key: string, known: KnownEntry][] {
    const removed = [...this.#entries].filter(([, known]) => isRemoved(known));
    removed.sort(([, one], [, other]) => other.entry.stamp - one.entry.stamp);
    return removed.filter(([, { entry }], place) => entry.stamp <= before || place >= this.max);
  }
}

const isRemoved = ({ entry }: KnownEntry): boolean => entry.digest === null;
