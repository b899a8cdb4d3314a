import type { ScopedRateLimit } from "./rate-limit.ts";

/** What the limiter says of a request. */
export type RateLimitDecision = RateLimitAllowed | RateLimitRefused;

/** The request may go on, and is counted. */
export interface RateLimitAllowed {
  /** True: it is let in. */
  readonly allowed: true;
}

/** The request may not go on, and is counted nowhere. */
export interface RateLimitRefused {
  /** False: it is refused. */
  readonly allowed: false;
  /** Whole milliseconds after which it is let in, if nobody uses the same keys meanwhile. */
  readonly retryAfterMs: number;
  /** The limit that has to be waited for; null where no limit refused it, see the option `failOpen`. */
  readonly limit: ScopedRateLimit | null;
}

/** What the client of a refused request is told. */
export function rateLimitMessage(retryAfterMs: number): string {
  return `Rate limit exceeded. Please retry after ${Math.ceil(retryAfterMs / 1000)} seconds.`;
}
