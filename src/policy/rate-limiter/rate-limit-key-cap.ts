/** The windows of one limit, from which keys can be evicted. */
export interface Evictable {
  /** Length of its windows. */
  readonly windowMs: number;
  /** When the first of its keys has no request left in its window; infinite without keys. */
  idleAt(): number;
  /**
   * Evicts one key that has no request left.
   * @returns how many requests were still stored for it; 0: there is no such key
   */
  evictIdle(now: number): number;
}

/**
 * The number of keys allowed in the windows of all limits that share the cap. A key with requests left in its window is
 * never evicted: otherwise a client could free any other from a limit by inventing keys.
 */
export class KeyCap {
  maxKeys = Number.POSITIVE_INFINITY;
  /** The current number of keys. */
  keys = 0;
  readonly #tables: Evictable[] = [];
  // The table that gave up a key last: it probably has another, and the search need not visit all tables before it
  // again.
  #place = 0;
  // No key runs out of requests before this time. While keys are invented faster than they run out, room is searched
  // for once rather than for each of them.
  #idleFrom = Number.POSITIVE_INFINITY;

  /** Allows keys to be evicted from `table`. */
  addTable(table: Evictable): void {
    this.#tables.push(table);
  }

  /** Forgets a table, which has no more keys. */
  removeTable(table: Evictable): void {
    const place = this.#tables.indexOf(table);
    if (place === -1) return;
    this.#tables.splice(place, 1);
    if (place < this.#place) this.#place--;
  }

  /** A key was added that has requests left until `idleAt` at least. */
  added(idleAt: number): void {
    this.keys++;
    this.mayBeIdleFrom(idleAt);
  }

  /** There may be a key to evict at `time`. */
  mayBeIdleFrom(time: number): void {
    if (time < this.#idleFrom) this.#idleFrom = time;
  }

  /**
   * Evicts keys until `newKeys` more have room.
   * @returns whether they have
   */
  makeRoom(newKeys: number, now: number): boolean {
    if (newKeys === 0) return true;
    while (this.keys + newKeys > this.maxKeys) {
      if (this.evictIdle(now) === 0) return false;
    }
    return true;
  }

  /**
   * Evicts one key without requests.
   * @returns how many requests were still stored for it; 0: there is no such key
   */
  evictIdle(now: number): number {
    if (now < this.#idleFrom) return 0;
    let idleFrom = Number.POSITIVE_INFINITY;
    for (let left = this.#tables.length; left > 0; left--) {
      if (this.#place >= this.#tables.length) this.#place = 0;
      const table = this.#tables[this.#place] as Evictable;
      const requests = table.evictIdle(now);
      if (requests > 0) return requests;
      idleFrom = Math.min(idleFrom, table.idleAt());
      this.#place++;
    }
    this.#idleFrom = idleFrom;
    return 0;
  }

  /**
   * Whole milliseconds to wait after {@link makeRoom} found no room for `newKeys`; at least 1, and always finite. If a
   * single place is missing, this is when the first key runs out of requests; otherwise the length of the longest
   * window.
   */
  retryAfterMs(newKeys: number, now: number): number {
    let idleAt = Number.POSITIVE_INFINITY;
    let longestMs = 1;
    for (const table of this.#tables) {
      idleAt = Math.min(idleAt, table.idleAt());
      longestMs = Math.max(longestMs, table.windowMs);
    }
    const isOneMissing = this.keys + newKeys - this.maxKeys === 1;
    return isOneMissing && Number.isFinite(idleAt) ? Math.max(1, Math.ceil(idleAt - now)) : longestMs;
  }
}
