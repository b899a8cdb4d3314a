import { call } from "../../actor/gen-server/gen-server.ts";
import { libraryError } from "../../core/errors.ts";
import { faultsError, refuseArgument } from "../../core/faults.ts";
import { canonicalAddress } from "../../core/net/ip-address.ts";
import {
  checkChoice,
  checkRequest,
  checkValue,
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
 * The rate limiter for host programs, `gateway.rateLimiter`. Reads and checks happen at once; the actor makes every
 * change, and the promise of a change rejects with `noproc` while the actor is not running.
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
   * @throws GenApiError `invalid_option` where it is no request, or its `ipAddress` no address
   */
  check(request: RateLimitedRequest): RateLimitDecision;
  /**
   * Decides by the limits of one scope and key alone, and counts the value if it is let in.
   * @throws GenApiError `invalid_option` where they are none, or the key is "ipAddress" and the value no address
   */
  check(value: RateLimitValue, scope: RateLimitScope, key: string): RateLimitDecision;
  check(subject: RateLimitedRequest | RateLimitValue, scope?: RateLimitScope, key?: string): RateLimitDecision {
    if (typeof subject === "object" && subject !== null) return this.#limiter.check(checkedRequest(subject));
    refuse("check", [
      ...checkValue(subject, key, "a string, a finite number or a request"),
      ...checkChoice(scope, key),
    ]);
    return this.#limiter.check(subject, scope ?? "global", key ?? "userId");
  }

  /**
   * How much a value has used of every limit, or of those of one scope and key. Counts nothing.
   * @throws GenApiError `invalid_option` where they are none, or the key is "ipAddress" and the value no address
   */
  status(value: RateLimitValue, scope?: RateLimitScope, key?: string): RateLimitStatus[] {
    refuse("status", [...checkValue(value, key), ...checkChoice(scope, key)]);
    return this.#limiter.status(value, scope, key);
  }

  /**
   * Clears the counts of a value, or of all values, for every limit or for those of one scope and key.
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

  /** A copy of the whole configuration. */
  getConfig(): RateLimiterConfig {
    return this.#limiter.config;
  }

  /** What the limiter holds, and its totals. */
  statistics(): RateLimiterStatistics {
    return this.#limiter.statistics;
  }

  /**
   * Adds a global limit. It replaces one with the same key and `windowMs`, whose counts it keeps.
   * @throws GenApiError `invalid_option`
   */
  addGlobalLimit(limit: RateLimit): Promise<void> {
    return call(this.#server(), "addGlobalLimit", limit);
  }

  /**
   * Removes the global limit of this key and `windowMs`, or all of this key. @returns whether there was one
   * @throws GenApiError `invalid_option`
   */
  async removeGlobalLimit(key: string, windowMs?: number): Promise<boolean> {
    const isTime = windowMs === undefined || typeof windowMs === "number";
    refuseArgument("rateLimiter.removeGlobalLimit", "key", key, typeof key === "string", "a string");
    refuseArgument("rateLimiter.removeGlobalLimit", "windowMs", windowMs, isTime, "a number or left out");
    return call(this.#server(), "removeGlobalLimit", { key, windowMs });
  }

  /**
   * Replaces the global limits; limits that stay keep their counts.
   * @throws GenApiError `invalid_option`
   */
  setGlobalLimits(limits: readonly RateLimit[]): Promise<void> {
    return call(this.#server(), "setGlobalLimits", limits);
  }

  /**
   * Replaces the given fields; limits that stay keep their counts.
   * @throws GenApiError `permission_denied` unless the option `adminActions` lists `update_rate_limit_config`,
   * `invalid_option`
   */
  async updateConfig(changes: Partial<RateLimiterConfig>): Promise<void> {
    if (!this.#mayUpdateConfig) {
      const allowed = 'only where the option adminActions lists "update_rate_limit_config"';
      throw libraryError("permission_denied", `rateLimiter.updateConfig may be called ${allowed}`);
    }
    await call(this.#server(), "updateConfig", changes);
  }
}

/** With its address as the limiter knows it. @throws GenApiError `invalid_option` */
function checkedRequest(request: RateLimitedRequest): RateLimitedRequest {
  refuse("check", checkRequest(request));
  const { ipAddress } = request;
  return ipAddress === null ? request : { ...request, ipAddress: canonicalAddress(ipAddress) ?? null };
}

function refuse(called: string, faults: readonly string[]): void {
  if (faults.length > 0) throw faultsError("invalid_option", `rateLimiter.${called}`, faults);
}
