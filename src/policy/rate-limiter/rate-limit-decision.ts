import type { ScopedRateLimit } from "./rate-limit.ts";

/** The limiter's decision about a request. */
export type RateLimitDecision = RateLimitAllowed | RateLimitRefused;

/** The request may go on and was counted. */
export interface RateLimitAllowed {
  /** Always true. */
  readonly allowed: true;
}

/** The request may not go on and was not counted. */
export interface RateLimitRefused {
  /** Always false. */
  readonly allowed: false;
  /** Whole milliseconds until it would be let in, provided that no other request uses the same keys. */
  readonly retryAfterMs: number;
  /** The limit to wait for; null if no limit refused the request, see the option `failOpen`. */
  readonly limit: ScopedRateLimit | null;
}

/** The message for the client of a refused request. */
export function rateLimitMessage(retryAfterMs: number): string {
  return `Rate limit exceeded. Please retry after ${Math.ceil(retryAfterMs / 1000)} seconds.`;
}
