import { CellPool, linkAt, noCell, type Slab } from "./rate-limit-cells.ts";

// A window's first cell: its header, then its first records.
const oldestAt = 0; // float: the oldest request's time
const newestAt = 1; // float: the newest request's time
const countAt = 4; // int: requests in the window
const headAt = 5; // int: the cell that holds the next record to read
const tailAt = 6; // int: the cell that is written to
const readAt = 14; // unit: where in the head cell the next record begins
const writeAt = 15; // unit: where in the tail cell the next record goes
const previousAt = 8; // int: the window before it in its list
const nextAt = 9; // int: the window after it
const firstUnit = 20;
// Further cells hold only records. The last two units of every cell are its link.
const endUnit = 30;

// A record gives the nanoseconds since the record before, in 1, 2 or 3 units of 16 bits: the upper two bits of the
// first unit say how many follow. If that is not possible, it is a mark and the time itself, all 64 bits.
const oneMore = 0x4000;
const twoMore = 0x8000;
const wholeTime = 0xc000;
const restIsUnused = 0xffff;
const upperBits = 0x3fff;
const wholeTimeSize = 5;
const nsPerMs = 1e6;

const wholeTimeFloat = new Float64Array(1);
const wholeTimeUnits = new Uint16Array(wholeTimeFloat.buffer);

/** A list of windows, each in at most one list; begins as {@link emptyList}. */
export interface WindowList {
  first: number;
  last: number;
}

/** A list without windows. */
export function emptyList(): WindowList {
  return { first: noCell, last: noCell };
}

/**
 * The exact times of the requests in many sliding windows. Each window is a queue: times enter at the new end, none
 * before the last one, and leave at the old end. Pure storage: the times come from the caller.
 *
 * A window is a chain of 64-byte cells that grows as it is used. Times are kept as differences in nanoseconds, the unit
 * of Node's clock, so that most take 2 or 4 bytes; a time that a difference cannot reproduce exactly is stored whole,
 * so that none is rounded. Every operation is O(1), amortised over the times that enter and leave.
 */
export class RateLimitWindows {
  readonly #pool = new CellPool();
  // The reading position. Only within one operation.
  #cell = noCell;
  #unit = 0;
  #time = 0;

  /** Memory held for windows, in use or free. */
  get bytes(): number {
    return this.#pool.bytes;
  }

  /**
   * A new window with one request in it.
   * @param owner any value that {@link owner} returns later
   * @returns its number
   */
  open(now: number, owner: unknown): number {
    const window = this.#pool.allocate();
    const slab = this.#pool.slab(window);
    const index = this.#pool.index(window);
    slab.values[index] = owner;
    slab.floats[index * 8 + oldestAt] = now;
    slab.floats[index * 8 + newestAt] = now;
    slab.ints[index * 16 + countAt] = 1;
    rewind(slab, index, window);
    return window;
  }

  /** Forgets the window. Its number may be reused. */
  close(window: number): void {
    this.#releaseRecords(window);
    this.#pool.release(window);
  }

  owner(window: number): unknown {
    return this.#pool.slab(window).values[this.#pool.index(window)];
  }

  count(window: number): number {
    return this.#pool.slab(window).ints[this.#pool.index(window) * 16 + countAt] as number;
  }

  newest(window: number): number {
    return this.#pool.slab(window).floats[this.#pool.index(window) * 8 + newestAt] as number;
  }

  /** The time of the request after the `skip` oldest ones; O(1) for 0, otherwise O(skip). */
  oldest(window: number, skip = 0): number {
    const time = this.#pool.slab(window).floats[this.#pool.index(window) * 8 + oldestAt] as number;
    if (skip === 0) return time;
    this.#readFrom(window);
    for (let read = 0; read < skip; read++) this.#readNext();
    return this.#time;
  }

  /** Adds a request. */
  record(window: number, now: number): void {
    const slab = this.#pool.slab(window);
    const index = this.#pool.index(window);
    const newest = slab.floats[index * 8 + newestAt] as number;
    const newestNs = Math.round(newest * nsPerMs);
    const ns = Math.round(now * nsPerMs) - newestNs;
    const tells = ns >= 0 && (newestNs + ns) / nsPerMs === now;
    this.#write(slab, index, tells ? ns : Number.POSITIVE_INFINITY, now);
    slab.floats[index * 8 + newestAt] = now;
    (slab.ints[index * 16 + countAt] as number)++;
  }

  /**
   * Drops the requests at `until` and before.
   * @returns how many are left. If none is, the window is unchanged and must be closed.
   */
  expire(window: number, until: number): number {
    const slab = this.#pool.slab(window);
    const index = this.#pool.index(window);
    const count = slab.ints[index * 16 + countAt] as number;
    if ((slab.floats[index * 8 + oldestAt] as number) > until) return count;
    if ((slab.floats[index * 8 + newestAt] as number) <= until) return 0;
    return this.#dropUntil(window, slab, index, until);
  }

  /** Appends a window that is in no list to `list`. */
  append(list: WindowList, window: number): void {
    const slab = this.#pool.slab(window);
    const index = this.#pool.index(window);
    slab.ints[index * 16 + previousAt] = list.last;
    slab.ints[index * 16 + nextAt] = noCell;
    if (list.last === noCell) list.first = window;
    else this.#setInt(list.last, nextAt, window);
    list.last = window;
  }

  /** Removes a window from the `list` that it is in. */
  remove(list: WindowList, window: number): void {
    const slab = this.#pool.slab(window);
    const index = this.#pool.index(window);
    const previous = slab.ints[index * 16 + previousAt] as number;
    const next = slab.ints[index * 16 + nextAt] as number;
    if (previous === noCell) list.first = next;
    else this.#setInt(previous, nextAt, next);
    if (next === noCell) list.last = previous;
    else this.#setInt(next, previousAt, previous);
  }

  #setInt(cell: number, at: number, value: number): void {
    this.#pool.slab(cell).ints[this.#pool.index(cell) * 16 + at] = value;
  }

  #dropUntil(window: number, slab: Slab, index: number, until: number): number {
    this.#readFrom(window);
    let count = slab.ints[index * 16 + countAt] as number;
    do {
      const left = this.#cell;
      this.#readNext();
      if (this.#cell !== left && left !== window) this.#pool.release(left);
      count--;
    } while (this.#time <= until);
    slab.floats[index * 8 + oldestAt] = this.#time;
    slab.ints[index * 16 + countAt] = count;
    slab.ints[index * 16 + headAt] = this.#cell;
    slab.units[index * 32 + readAt] = this.#unit;
    if (count === 1) {
      this.#releaseRecords(window);
      rewind(slab, index, window);
    }
    return count;
  }

  #readFrom(window: number): void {
    const slab = this.#pool.slab(window);
    const index = this.#pool.index(window);
    this.#cell = slab.ints[index * 16 + headAt] as number;
    this.#unit = slab.units[index * 32 + readAt] as number;
    this.#time = slab.floats[index * 8 + oldestAt] as number;
  }

  #readNext(): void {
    let { units, ints } = this.#pool.slab(this.#cell);
    let start = this.#pool.index(this.#cell) * 32;
    if (this.#unit === endUnit || units[start + this.#unit] === restIsUnused) {
      this.#cell = ints[this.#pool.index(this.#cell) * 16 + linkAt] as number;
      this.#unit = 0;
      ({ units, ints } = this.#pool.slab(this.#cell));
      start = this.#pool.index(this.#cell) * 32;
    }
    const at = start + this.#unit;
    const first = units[at] as number;
    const upper = first & upperBits;
    if (first >= wholeTime) {
      for (let unit = 0; unit < 4; unit++) wholeTimeUnits[unit] = units[at + 1 + unit] as number;
      this.#unit += wholeTimeSize;
      this.#time = wholeTimeFloat[0] as number;
      return;
    }
    let ns = upper;
    if (first >= twoMore) {
      ns = upper * 2 ** 32 + (units[at + 1] as number) * 2 ** 16 + (units[at + 2] as number);
      this.#unit += 3;
    } else if (first >= oneMore) {
      ns = upper * 2 ** 16 + (units[at + 1] as number);
      this.#unit += 2;
    } else {
      this.#unit += 1;
    }
    this.#time = (Math.round(this.#time * nsPerMs) + ns) / nsPerMs;
  }

  #write(slab: Slab, index: number, ns: number, now: number): void {
    const size = ns < 2 ** 14 ? 1 : ns < 2 ** 30 ? 2 : ns < 2 ** 46 ? 3 : wholeTimeSize;
    let cell = slab.ints[index * 16 + tailAt] as number;
    let at = slab.units[index * 32 + writeAt] as number;
    if (at + size > endUnit) {
      const next = this.#pool.allocate();
      if (at < endUnit) this.#pool.slab(cell).units[this.#pool.index(cell) * 32 + at] = restIsUnused;
      this.#setInt(cell, linkAt, next);
      slab.ints[index * 16 + tailAt] = next;
      cell = next;
      at = 0;
    }
    slab.units[index * 32 + writeAt] = at + size;
    const { units } = this.#pool.slab(cell);
    at += this.#pool.index(cell) * 32;
    if (size === 1) {
      units[at] = ns;
    } else if (size === 2) {
      units[at] = oneMore | (ns >>> 16);
      units[at + 1] = ns;
    } else if (size === 3) {
      units[at] = twoMore | (ns / 2 ** 32);
      units[at + 1] = ns / 2 ** 16;
      units[at + 2] = ns;
    } else {
      wholeTimeFloat[0] = now;
      units[at] = wholeTime;
      units.set(wholeTimeUnits, at + 1);
    }
  }

  #releaseRecords(window: number): void {
    const slab = this.#pool.slab(window);
    const index = this.#pool.index(window);
    let cell = slab.ints[index * 16 + headAt] as number;
    const tail = slab.ints[index * 16 + tailAt] as number;
    if (tail === window) return;
    if (cell === window) cell = slab.ints[index * 16 + linkAt] as number;
    while (cell !== noCell) {
      const next = this.#pool.slab(cell).ints[this.#pool.index(cell) * 16 + linkAt] as number;
      this.#pool.release(cell);
      cell = next;
    }
  }
}

function rewind(slab: Slab, index: number, window: number): void {
  slab.ints[index * 16 + headAt] = window;
  slab.ints[index * 16 + tailAt] = window;
  slab.units[index * 32 + readAt] = firstUnit;
  slab.units[index * 32 + writeAt] = firstUnit;
}
