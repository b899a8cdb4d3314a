import { call } from "../actor/gen-server.ts";
import { libraryError } from "../core/errors.ts";
import type { RateLimit, RateLimitedRequest, RateLimitScope, RateLimitValue, ScopedRateLimit } from "./rate-limit.ts";
import type { RateLimitDecision } from "./rate-limit-decision.ts";
import type { RateLimiterRef, RateLimitReset } from "./rate-limiter.actor.ts";
import type { RateLimiter, RateLimiterStatistics, RateLimitStatus } from "./rate-limiter.ts";
import type { RateLimiterConfig } from "./rate-limiter-options.ts";

/**
 * The rate limiter as the host program uses it, `runtime.rateLimiter`. Reading and checking is done at once; what
 * changes something is done by the actor, and its promise rejects with `noproc` while that is not running.
 */
export class RateLimiterApi {
  readonly #limiter: RateLimiter;
  readonly #server: () => RateLimiterRef | undefined;
  readonly #mayUpdateConfig: boolean;

  /** @param mayUpdateConfig whether the option `adminActions` lists `update_rate_limit_config` */
  constructor(limiter: RateLimiter, server: () => RateLimiterRef | undefined, mayUpdateConfig: boolean) {
    this.#limiter = limiter;
    this.#server = server;
    this.#mayUpdateConfig = mayUpdateConfig;
  }

  /** Decides a request by all limits that apply to it, and counts it if it is let in. */
  check(request: RateLimitedRequest): RateLimitDecision;
  /** Decides by the limits of one scope and key alone, and counts the value if it is let in. */
  check(value: RateLimitValue, scope: RateLimitScope, key: string): RateLimitDecision;
  check(subject: RateLimitedRequest | RateLimitValue, scope?: RateLimitScope, key?: string): RateLimitDecision {
    return typeof subject === "object"
      ? this.#limiter.check(subject)
      : this.#limiter.check(subject, scope ?? "global", key ?? "userId");
  }

  /** How much a value has used of every limit, or of those of one scope and key. Counts nothing. */
  status(value: RateLimitValue, scope?: RateLimitScope, key?: string): RateLimitStatus[] {
    return this.#limiter.status(value, scope, key);
  }

  /**
   * Forgets the requests of a value, or of all values, by every limit or by those of one scope and key.
   * @throws GenApiError `invalid_option`
   */
  reset(which: RateLimitReset = {}): Promise<void> {
    return call(this.#server(), "reset", which);
  }

  getGlobalLimits(): readonly RateLimit[] {
    return this.#limiter.config.globalLimits;
  }

  /** Every limit with its scope, the global ones first. */
  getConfiguredLimits(): ScopedRateLimit[] {
    return this.#limiter.limits;
  }

  /** The whole configuration, a copy. */
  getConfig(): RateLimiterConfig {
    return this.#limiter.config;
  }

  statistics(): RateLimiterStatistics {
    return this.#limiter.statistics;
  }

  /**
   * Adds a global limit; one of the same key and `windowMs` is replaced and keeps its counts.
   * @throws GenApiError `invalid_option`
   */
  addGlobalLimit(limit: RateLimit): Promise<void> {
    return call(this.#server(), "addGlobalLimit", limit);
  }

  /** Removes the global limit of this key and `windowMs`, or all of this key. @returns whether there was one */
  removeGlobalLimit(key: string, windowMs?: number): Promise<boolean> {
    return call(this.#server(), "removeGlobalLimit", { key, windowMs });
  }

  /** Replaces the global limits; those that stay keep their counts. @throws GenApiError `invalid_option` */
  setGlobalLimits(limits: readonly RateLimit[]): Promise<void> {
    return call(this.#server(), "setGlobalLimits", limits);
  }

  /**
   * Replaces what `changes` gives; limits that stay keep their counts.
   * @throws GenApiError `permission_denied` unless the admin action is listed, `invalid_option`
   */
  async updateConfig(changes: Partial<RateLimiterConfig>): Promise<void> {
    if (!this.#mayUpdateConfig) {
      const allowed = 'only where the option adminActions lists "update_rate_limit_config"';
      throw libraryError("permission_denied", `rateLimiter.updateConfig may be called ${allowed}`);
    }
    await call(this.#server(), "updateConfig", changes);
  }
}
