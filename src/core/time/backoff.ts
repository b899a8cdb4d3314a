/** The waits between attempts, growing with every failure. */
export interface Backoff {
  /** The wait before the first further attempt, milliseconds, without jitter. */
  readonly firstMs: number;
  /** The upper bound of doubling, milliseconds, without jitter. */
  readonly maxMs: number;
}

/**
 * Exponential backoff with jitter: before the k-th further attempt `min(firstMs · 2^(k-1), maxMs)`, times a random
 * factor in [0.5, 1.5), so that things that failed together do not return together.
 *
 * @param attempt the number of the further attempt, from 1
 * @param random a number in [0, 1), as `Math.random` returns it
 * @returns milliseconds
 */
export function backoffMs({ firstMs, maxMs }: Backoff, attempt: number, random: number): number {
  const middle = Math.min(firstMs * 2 ** (attempt - 1), maxMs);
  // Whole milliseconds, because 0.5 plus the greatest number below 1 is rounded to 1.5.
  return middle / 2 + Math.floor(middle * random);
}
