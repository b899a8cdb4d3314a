import type { ScopedRateLimit } from "./rate-limit.ts";
import { hashOf, RateLimitIndex } from "./rate-limit-index.ts";
import type { WindowKey } from "./rate-limit-key.ts";
import type { Evictable, KeyCap } from "./rate-limit-key-cap.ts";
import { emptyList, type RateLimitWindows } from "./rate-limit-window.ts";

const noWindow = 0;

/**
 * The windows of one limit, by the values of its key. A check first seeks its key, which then stays the table's current
 * key and window until the next check.
 */
export class RateLimitTable implements Evictable {
  limit: ScopedRateLimit;
  readonly cap: KeyCap;
  readonly #windows: RateLimitWindows;
  readonly #index: RateLimitIndex;
  // All windows have the same length, so the first to run out is the one whose newest request is the oldest.
  readonly #byNewest = emptyList();
  // For windows that hold more than a limit allows since it was lowered: the time of the newest request in the way.
  readonly #overfull = new Map<number, number>();
  #retired = false;
  #key: WindowKey = "";
  #hash = 0;
  #window = noWindow;

  constructor(limit: ScopedRateLimit, windows: RateLimitWindows, cap: KeyCap) {
    this.limit = limit;
    this.#windows = windows;
    this.#index = new RateLimitIndex((window) => windows.owner(window));
    this.cap = cap;
    cap.addTable(this);
  }

  /** Makes `key` the current one, and drops its requests that have left the window. */
  seek(key: WindowKey, now: number): void {
    this.#key = key;
    this.#hash = hashOf(key);
    this.#window = this.#index.get(key, this.#hash);
    if (this.#window === noWindow) return;
    if (this.#windows.expire(this.#window, now - this.limit.windowMs) === 0) {
      this.#close(this.#window, this.#hash);
      this.#window = noWindow;
    }
  }

  /** Whether the current key has no window yet. */
  get isNew(): boolean {
    return this.#window === noWindow;
  }

  /** Requests of the current key in its window. */
  get count(): number {
    return this.#window === noWindow ? 0 : this.#windows.count(this.#window);
  }

  /** Whole milliseconds until the current key may send again; 0 if it may now. */
  retryAfterMs(now: number): number {
    const over = this.count - this.limit.maxRequests;
    if (over < 0) return 0;
    const leaving = over === 0 ? this.#windows.oldest(this.#window) : this.#lastInTheWay(over);
    return waitMs(leaving, this.limit.windowMs, now);
  }

  /** Counts a request of the current key, which must have a window. */
  record(now: number): void {
    this.#windows.record(this.#window, now);
    if (this.#byNewest.last !== this.#window) {
      this.#windows.remove(this.#byNewest, this.#window);
      this.#windows.append(this.#byNewest, this.#window);
    }
  }

  /** Counts the first request of the current key; there must be room for it. */
  open(now: number): void {
    this.#window = this.#windows.open(now, this.#key);
    this.#index.add(this.#hash, this.#window);
    this.#windows.append(this.#byNewest, this.#window);
    this.cap.added(now + this.limit.windowMs);
  }

  /** Forgets the requests of `key`. */
  forget(key: WindowKey, now: number): void {
    this.seek(key, now);
    if (this.#window === noWindow) return;
    this.#close(this.#window, this.#hash);
    this.#window = noWindow;
  }

  /** Changes how many requests are allowed; the counts stay. */
  change(limit: ScopedRateLimit): void {
    this.limit = limit;
    this.#overfull.clear();
  }

  /** The limit is gone: every window may be evicted, like those without requests. */
  retire(): void {
    this.#retired = true;
    this.cap.mayBeIdleFrom(Number.NEGATIVE_INFINITY);
    if (this.#byNewest.first === noWindow) this.cap.removeTable(this);
  }

  get windowMs(): number {
    return this.limit.windowMs;
  }

  /** When the first of its keys has no request left; infinite without keys. */
  idleAt(): number {
    const first = this.#byNewest.first;
    return first === noWindow ? Number.POSITIVE_INFINITY : this.#windows.newest(first) + this.limit.windowMs;
  }

  /**
   * Evicts one key that has no request left.
   * @returns the requests it had; 0 if there is no such key
   */
  evictIdle(now: number): number {
    const window = this.#byNewest.first;
    if (window === noWindow) return 0;
    if (!this.#retired && this.#windows.newest(window) > now - this.limit.windowMs) return 0;
    const count = this.#windows.count(window);
    this.#close(window, hashOf(this.#windows.owner(window) as WindowKey));
    if (this.#retired && this.#byNewest.first === noWindow) this.cap.removeTable(this);
    return count;
  }

  #close(window: number, hash: number): void {
    this.#index.delete(hash, window);
    this.#windows.remove(this.#byNewest, window);
    this.#windows.close(window);
    this.#overfull.delete(window);
    this.cap.keys--;
  }

  /** The time of the newest request that must leave before another may come. */
  #lastInTheWay(over: number): number {
    let time = this.#overfull.get(this.#window);
    if (time === undefined) {
      time = this.#windows.oldest(this.#window, over);
      this.#overfull.set(this.#window, time);
    }
    return time;
  }
}

/** The fewest whole milliseconds after which a request of `time` has left its window. */
function waitMs(time: number, windowMs: number, now: number): number {
  const ms = Math.ceil(time + windowMs - now);
  // Sums of fractions are rounded, and this very comparison will decide whether the time has come.
  if (time > now + ms - windowMs) return ms + 1;
  return ms > 1 && time <= now + (ms - 1) - windowMs ? ms - 1 : ms;
}
