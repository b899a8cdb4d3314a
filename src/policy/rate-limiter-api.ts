import { call } from "../actor/gen-server.ts";
import { libraryError } from "../core/errors.ts";
import { faultsError } from "../core/faults.ts";
import { canonicalAddress } from "../core/ip-address.ts";
import {
  checkAddress,
  type RateLimit,
  type RateLimitedRequest,
  type RateLimitReset,
  type RateLimitScope,
  type RateLimitValue,
  type ScopedRateLimit,
} from "./rate-limit.ts";
import type { RateLimitDecision } from "./rate-limit-decision.ts";
import type { RateLimiterRef } from "./rate-limiter.actor.ts";
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

  /** @internal @param mayUpdateConfig whether the option `adminActions` lists `update_rate_limit_config` */
  constructor(limiter: RateLimiter, server: () => RateLimiterRef | undefined, mayUpdateConfig: boolean) {
    this.#limiter = limiter;
    this.#server = server;
    this.#mayUpdateConfig = mayUpdateConfig;
  }

  /**
   * Decides a request by all limits that apply to it, and counts it if it is let in.
   * @throws GenApiError `invalid_option` where its `ipAddress` is no address
   */
  check(request: RateLimitedRequest): RateLimitDecision;
  /**
   * Decides by the limits of one scope and key alone, and counts the value if it is let in.
   * @throws GenApiError `invalid_option` where the key is "ipAddress" and the value no address
   */
  check(value: RateLimitValue, scope: RateLimitScope, key: string): RateLimitDecision;
  check(subject: RateLimitedRequest | RateLimitValue, scope?: RateLimitScope, key?: string): RateLimitDecision {
    if (typeof subject === "object") return this.#limiter.check(withCanonicalAddress(subject));
    if (key === "ipAddress") refuseNoAddress("check", "value", subject);
    return this.#limiter.check(subject, scope ?? "global", key ?? "userId");
  }

  /**
   * How much a value has used of every limit, or of those of one scope and key. Counts nothing.
   * @throws GenApiError `invalid_option` where the key is "ipAddress" and the value no address
   */
  status(value: RateLimitValue, scope?: RateLimitScope, key?: string): RateLimitStatus[] {
    if (key === "ipAddress") refuseNoAddress("status", "value", value);
    return this.#limiter.status(value, scope, key);
  }

  /**
   * Forgets the requests of a value, or of all values, by every limit or by those of one scope and key.
   * @throws GenApiError `invalid_option`
   */
  reset(which: RateLimitReset = {}): Promise<void> {
    return call(this.#server(), "reset", which);
  }

  /** The limits that count every request. */
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

  /** What the limiter holds and what happened to it. */
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

function withCanonicalAddress(request: RateLimitedRequest): RateLimitedRequest {
  const { ipAddress } = request;
  if (ipAddress === null) return request;
  refuseNoAddress("check", "ipAddress", ipAddress);
  return { ...request, ipAddress: canonicalAddress(ipAddress) ?? null };
}

function refuseNoAddress(called: string, name: string, value: unknown): void {
  const faults = checkAddress(value, name);
  if (faults.length > 0) throw faultsError("invalid_option", `rateLimiter.${called}`, faults);
}
