/**
 * Milliseconds to wait before the next try: exponential, with full jitter, so that clients that lost one gateway at the
 * same moment do not come back at the same moment.
 *
 * @param tries how many there have been, from 1
 * @param random from 0 up to 1
 */
export function backoff(tries: number, baseMs: number, capMs: number, random: () => number = Math.random): number {
  return random() * Math.min(capMs, baseMs * 2 ** tries);
}

/** Milliseconds until a failed call is sent again: at least what the gateway asked for. */
export function retryDelay(tries: number, retryAfterMs: number | undefined, random = Math.random): number {
  if (retryAfterMs === undefined) return backoff(tries, 100, 5_000, random);
  return retryAfterMs * (1 + random() / 4);
}
