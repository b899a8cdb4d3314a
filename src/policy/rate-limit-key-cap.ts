/** Where keys can be evicted from: the windows of one limit. */
export interface Evictable {
  /** When the first of its keys has no request left in its window; infinite without keys. */
  idleAt(): number;
  /** Evicts one key that has no request left. @returns how many requests were still stored for it; 0: no such key */
  evictIdle(now: number): number;
}

/**
 * How many keys may be kept in the windows of all limits that share the cap. A key with requests left in its window
 * is never evicted: otherwise a client could free anybody from a limit by inventing keys.
 */
export class KeyCap {
  maxKeys = Number.POSITIVE_INFINITY;
  /** Kept now. */
  keys = 0;
  readonly tables = new Set<Evictable>();
  // No key has run out of requests before this time. While keys are invented faster than they run out, the search for
  // room is thereby made once and not for each of them.
  #idleFrom = Number.POSITIVE_INFINITY;

  /** A key was added that has no request left at `idleAt` at the earliest. */
  added(idleAt: number): void {
    this.keys++;
    this.mayBeIdleFrom(idleAt);
  }

  /** There may be a key to evict at `time`. */
  mayBeIdleFrom(time: number): void {
    if (time < this.#idleFrom) this.#idleFrom = time;
  }

  /** Evicts until `newKeys` more have room. @returns whether they have */
  makeRoom(newKeys: number, now: number): boolean {
    while (this.keys + newKeys > this.maxKeys) {
      if (this.evictIdle(now) === 0) return false;
    }
    return true;
  }

  /** Evicts one key without requests. @returns how many requests were still stored for it; 0: there is no such key */
  evictIdle(now: number): number {
    if (now < this.#idleFrom) return 0;
    let idleFrom = Number.POSITIVE_INFINITY;
    for (const table of this.tables) {
      const requests = table.evictIdle(now);
      if (requests > 0) return requests;
      idleFrom = Math.min(idleFrom, table.idleAt());
    }
    this.#idleFrom = idleFrom;
    return 0;
  }

  /** Whole milliseconds until room may be found again, where {@link makeRoom} found none. */
  retryAfterMs(now: number): number {
    return Math.max(1, Math.ceil(this.#idleFrom - now));
  }
}
