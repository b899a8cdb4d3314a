/** How much a socket may send, in points: see {@link frameCosts}. */
export interface FrameLimit {
  /** Points that a socket regains per second. @default 50_000 */
  readonly perSecond?: number;
  /** Points that it may use at once. @default 100_000 */
  readonly burst?: number;
  /** How long a socket may stay over the limit, paused, before it is closed with 1008; milliseconds. @default 10_000 */
  readonly closeAfterMs?: number;
}

/** The defaults of {@link FrameLimit}. */
export const frameLimitDefaults: Required<FrameLimit> = { perSecond: 50_000, burst: 100_000, closeAfterMs: 10_000 };

/** Costs in points, roughly proportional to the gateway's work: one point is some two microseconds. */
export const frameCosts = {
  /** Each message, ping, pong, and piece of a message. */
  frame: 1,
  /** Bytes that cost one more point. */
  bytesPerPoint: 128,
  /** Bytes of memory of a parsed payload that cost one more point, if it takes more memory than its message has bytes. */
  weightPerPoint: 1_024,
  /** A join, in addition to its message. */
  join: 50,
  /** A stream that is resumed, in addition to the message. */
  resume: 50,
  /** Each Response that is sent again to a client that asks for it. */
  repeated: 1,
  /** A channel that the client's message crashes, in addition to the message. */
  crash: 50,
} as const;

/**
 * A token bucket: the points that one socket has left. A later socket of the same client continues with the rest, see
 * `spent-budgets.ts`.
 */
export class FrameBudget {
  readonly #limit: Required<FrameLimit>;
  #points: number;
  #filledAt: number;
  /** When it first exceeded the limit without recovering since; below 0 while it is within. */
  #overSince = -1;

  /** @param now milliseconds of a monotonic clock, as in all its methods */
  constructor(limit: Required<FrameLimit>, now: number) {
    this.#limit = limit;
    this.#points = limit.burst;
    this.#filledAt = now;
  }

  /** Uses points. It may use more than are left, and then waits longer. */
  use(points: number): void {
    this.#points -= points;
  }

  /** Whether no points were left at the last look at the clock. */
  get isSpent(): boolean {
    return this.#points <= 0;
  }

  /** Whether it exceeded the limit and has not recovered since. */
  get isOver(): boolean {
    return this.#overSince >= 0;
  }

  /** How many points are left; a negative number is a debt. */
  leftAt(now: number): number {
    const { perSecond, burst } = this.#limit;
    return Math.min(burst, this.#points + ((now - this.#filledAt) * perSecond) / 1_000);
  }

  /** Whether it has regained half of its burst. */
  hasRecovered(now: number): boolean {
    return this.leftAt(now) >= this.#limit.burst / 2;
  }

  /** Continues with the points of another budget, but not with the time it was over the limit. */
  goOnFrom(other: FrameBudget): void {
    this.#points = other.#points;
    this.#filledAt = other.#filledAt;
  }

  /**
   * Decides about a socket that has no points left.
   * @returns milliseconds to pause it; 0 if it has regained points; "close" if it was over the limit for too long
   */
  decide(now: number): number | "close" {
    const { perSecond, burst, closeAfterMs } = this.#limit;
    this.#points = this.leftAt(now);
    this.#filledAt = now;
    if (this.#points >= burst / 2) this.#overSince = -1;
    if (this.#points > 0) return 0;
    if (this.#overSince < 0) this.#overSince = now;
    else if (now - this.#overSince >= closeAfterMs) return "close";
    // Wait for the points of a tenth of a second: a socket at its limit then wakes the gateway ten times a second.
    return Math.ceil(((perSecond / 10 - this.#points) * 1_000) / perSecond);
  }
}
