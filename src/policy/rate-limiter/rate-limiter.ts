import { toError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import {
  type RateLimitedRequest,
  type RateLimitScope,
  type RateLimitValue,
  type ScopedRateLimit,
  scopeName,
} from "./rate-limit.ts";
import type { RateLimitAllowed, RateLimitDecision } from "./rate-limit-decision.ts";
import { keyOfValue, windowKeyOf } from "./rate-limit-key.ts";
import type { KeyCap } from "./rate-limit-key-cap.ts";
import type { RateLimitTable } from "./rate-limit-table.ts";
import { RateLimitTables } from "./rate-limit-tables.ts";
import {
  changedConfig,
  type RateLimiterConfig,
  type RateLimiterOptions,
  rateLimiterDefaults,
} from "./rate-limiter-options.ts";

/** How much of a limit a value has used. */
export interface RateLimitStatus extends ScopedRateLimit {
  /** Requests in the window now. */
  readonly count: number;
  /** Requests that the window still has room for. */
  readonly remaining: number;
  /**
   * 0 while requests are let in. It is above 0 with some `remaining` when a value without requests in the window is
   * refused, because all `maxKeys` are in use and `failOpen` is false.
   */
  readonly retryAfterMs: number;
}

/** What the limiter holds, and its totals. */
export interface RateLimiterStatistics {
  /** Users, addresses and claims with a window, counted once for each of their limits. */
  readonly userAndAddressKeys: number;
  /** Devices and arguments with a window, counted once for each of their limits. */
  readonly deviceAndArgumentKeys: number;
  /** Memory of the windows in bytes, without the keys themselves. */
  readonly windowBytes: number;
  /** Requests whose new key found all `maxKeys` in use: let in or refused as `failOpen` says. */
  readonly withoutRoom: number;
  /** Requests that the limiter failed to decide: let in or refused as `failOpen` says. */
  readonly faults: number;
}

const checkEvent = telemetryEvent("rate_limiter.check");
const exceededEvent = telemetryEvent("rate_limiter.exceeded");

const allowed: RateLimitAllowed = Object.freeze({ allowed: true });
const retryAfterFaultMs = 1000;

/**
 * Exact sliding-window limits: in `(now - windowMs, now]` a key has at most `maxRequests` accepted requests, and it is
 * refused only when it has that many. All limits of a request are checked together and then, if none refuses, counted
 * together.
 *
 * It is a table in the sense of ETS: callers with a request check it directly; its owner, the actor in
 * rate-limiter.actor.ts, makes every other change.
 */
export class RateLimiter {
  readonly #gateway: string;
  readonly #clock: Clock;
  readonly #tables = new RateLimitTables();
  // The tables that apply to the request being checked. Never shortened, so that a check allocates nothing.
  readonly #applying: RateLimitTable[] = [];
  #config: RateLimiterConfig;
  #latest = Number.NEGATIVE_INFINITY;
  #withoutRoom = 0;
  #faults = 0;

  /** @throws GenApiError `invalid_option`, listing every fault of the options */
  constructor(gateway: string, clock: Clock, options: RateLimiterOptions = {}) {
    this.#gateway = gateway;
    this.#clock = clock;
    this.#config = changedConfig(rateLimiterDefaults, options);
    this.#tables.configure(this.#config);
  }

  /** Decides a request by all limits that apply to it, and counts it if it is let in. */
  check(request: RateLimitedRequest): RateLimitDecision;
  /** Decides by the limits of one scope and key alone, for a given value, and counts the value if it is let in. */
  check(value: RateLimitValue, scope: RateLimitScope, key: string): RateLimitDecision;
  check(subject: RateLimitedRequest | RateLimitValue, scope: RateLimitScope = "global", key = ""): RateLimitDecision {
    if (!this.#config.enabled) return allowed;
    const now = this.#now();
    let decision: RateLimitDecision;
    let error: Error | null = null;
    try {
      const count = typeof subject === "object" ? this.#seek(subject, now) : this.#seekValue(subject, scope, key, now);
      decision = this.#decide(count, now);
    } catch (thrown) {
      error = toError(thrown);
      this.#faults++;
      decision = this.#config.failOpen ? allowed : { allowed: false, retryAfterMs: retryAfterFaultMs, limit: null };
    }
    if (checkEvent.active || exceededEvent.active) {
      this.#report(decision, typeof subject === "object" ? subject : scope, now, error);
    }
    return decision;
  }

  /** How much a value has used of every limit, or of those of one scope and key. Counts nothing. */
  status(value: RateLimitValue, scope?: RateLimitScope, key?: string): RateLimitStatus[] {
    const now = this.#now();
    return this.#tables.matching(scope, key).map((table) => {
      table.seek(keyOfValue(table.limit.key, value), now);
      return statusOf(table, now, this.#waitForKeys(table.cap, table.isNew ? 1 : 0, now));
    });
  }

  /**
   * How much a request's keys have used of every limit that applies to it; the longest `retryAfterMs` is the one {@link
   * check} would report now. Counts nothing.
   */
  peek(request: RateLimitedRequest): RateLimitStatus[] {
    if (!this.#config.enabled) return [];
    const now = this.#now();
    const count = this.#seek(request, now);
    const tables = this.#applying.slice(0, count);
    // Room matters only when no limit refuses.
    if (tables.some((table) => table.retryAfterMs(now) > 0)) return tables.map((table) => statusOf(table, now, 0));
    return tables.map((table) =>
      statusOf(table, now, table.isNew ? this.#waitForKeys(table.cap, this.#newKeysOf(table.cap, count), now) : 0),
    );
  }

  /** Clears the counts of a value (without one: of all values) for every limit, or for those of one scope and key. */
  reset(value?: RateLimitValue, scope?: RateLimitScope, key?: string): void {
    const now = this.#now();
    const tables = this.#tables.matching(scope, key);
    if (value === undefined) this.#tables.renew(tables);
    else for (const table of tables) table.forget(keyOfValue(table.limit.key, value), now);
  }

  /** A copy of the configuration. */
  get config(): RateLimiterConfig {
    return structuredClone(this.#config);
  }

  /** See {@link RateLimiterConfig.countNested}. */
  get countsNested(): boolean {
    return this.#config.countNested;
  }

  /** Every limit with its scope, the global ones first. */
  get limits(): ScopedRateLimit[] {
    return this.#tables.matching().map(({ limit }) => limit);
  }

  get statistics(): RateLimiterStatistics {
    return {
      userAndAddressKeys: this.#tables.userAndAddressKeys.keys,
      deviceAndArgumentKeys: this.#tables.deviceAndArgumentKeys.keys,
      windowBytes: this.#tables.bytes,
      withoutRoom: this.#withoutRoom,
      faults: this.#faults,
    };
  }

  /**
   * Replaces the given fields. A limit is the same as before, and keeps its counts, if its scope, key and `windowMs`
   * are equal.
   * @throws GenApiError `invalid_option`, listing every fault
   */
  updateConfig(changes: Partial<RateLimiterConfig>): void {
    this.#config = changedConfig(this.#config, changes);
    this.#tables.configure(this.#config);
  }

  /** Forgets about `maxKeys` keys that have no request left in their window. */
  sweep(maxKeys: number): { removed: number; more: boolean } {
    return this.#tables.sweep(this.#now(), maxKeys);
  }

  // If a clock went back, the times in a window would be out of order.
  #now(): number {
    const now = this.#clock.now();
    if (now > this.#latest) this.#latest = now;
    return this.#latest;
  }

  #seek(request: RateLimitedRequest, now: number): number {
    const count = this.#seekIn(this.#tables.global, request, now, 0);
    return this.#seekIn(this.#tables.ofApi(request.service, request.requestType), request, now, count);
  }

  #seekIn(tables: readonly RateLimitTable[], request: RateLimitedRequest, now: number, before: number): number {
    let count = before;
    for (const table of tables) {
      const key = windowKeyOf(table.limit, request);
      if (key === undefined) continue;
      table.seek(key, now);
      this.#applying[count++] = table;
    }
    return count;
  }

  #seekValue(value: RateLimitValue, scope: RateLimitScope, key: string, now: number): number {
    let count = 0;
    const tables = scope === "global" ? this.#tables.global : this.#tables.ofApi(scope.service, scope.requestType);
    for (const table of tables) {
      if (table.limit.key !== key) continue;
      table.seek(keyOfValue(key, value), now);
      this.#applying[count++] = table;
    }
    return count;
  }

  /** Decides by the first `count` tables that apply; the request's key has been looked up in each. */
  #decide(count: number, now: number): RateLimitDecision {
    let retryAfterMs = 0;
    let refusing: RateLimitTable | undefined;
    for (let at = 0; at < count; at++) {
      const table = this.#applying[at] as RateLimitTable;
      const ms = table.retryAfterMs(now);
      if (ms <= retryAfterMs) continue;
      retryAfterMs = ms;
      refusing = table;
    }
    if (refusing !== undefined) return { allowed: false, retryAfterMs, limit: refusing.limit };

    const { userAndAddressKeys, deviceAndArgumentKeys } = this.#tables;
    const users = this.#newKeysOf(userAndAddressKeys, count);
    const others = this.#newKeysOf(deviceAndArgumentKeys, count);
    const usersFit = userAndAddressKeys.makeRoom(users, now);
    const othersFit = deviceAndArgumentKeys.makeRoom(others, now);
    const allFit = usersFit && othersFit;
    if (!allFit) {
      this.#withoutRoom++;
      if (!this.#config.failOpen) {
        const usersMs = usersFit ? 0 : userAndAddressKeys.retryAfterMs(users, now);
        const othersMs = othersFit ? 0 : deviceAndArgumentKeys.retryAfterMs(others, now);
        return { allowed: false, retryAfterMs: Math.max(usersMs, othersMs), limit: null };
      }
    }
    for (let at = 0; at < count; at++) {
      const table = this.#applying[at] as RateLimitTable;
      if (!table.isNew) table.record(now);
      else if (allFit || table.cap.makeRoom(1, now)) table.open(now);
    }
    return allowed;
  }

  /** How many of the first `count` tables that apply need a new key under this cap. */
  #newKeysOf(cap: KeyCap, count: number): number {
    let newKeys = 0;
    for (let at = 0; at < count; at++) {
      const table = this.#applying[at] as RateLimitTable;
      if (table.isNew && table.cap === cap) newKeys++;
    }
    return newKeys;
  }

  /** Milliseconds for which this cap refuses `newKeys` new keys; 0 if it lets them in. */
  #waitForKeys(cap: KeyCap, newKeys: number, now: number): number {
    const { enabled, failOpen } = this.#config;
    return !enabled || failOpen || cap.makeRoom(newKeys, now) ? 0 : cap.retryAfterMs(newKeys, now);
  }

  #report(decision: RateLimitDecision, about: RateLimitedRequest | RateLimitScope, since: number, error: Error | null) {
    const gateway = this.#gateway;
    const service = about === "global" ? null : about.service;
    const request_type = about === "global" ? null : about.requestType;
    if (checkEvent.active) {
      const duration_us = Math.round((this.#clock.now() - since) * 1000);
      checkEvent.emit({ duration_us }, { gateway, service, request_type, allowed: decision.allowed, error });
    }
    if (decision.allowed || decision.limit === null) return;
    const { scope, key, maxRequests, windowMs } = decision.limit;
    const limit = { scope: scopeName(scope), key, max_requests: maxRequests, window_ms: windowMs };
    exceededEvent.emit({ retry_after_ms: decision.retryAfterMs }, { gateway, service, request_type, ...limit });
  }
}

/** The status of the table's current key, which may have to wait for room. */
function statusOf(table: RateLimitTable, now: number, waitMs: number): RateLimitStatus {
  const { limit, count } = table;
  const remaining = Math.max(0, limit.maxRequests - count);
  return { ...limit, count, remaining, retryAfterMs: Math.max(waitMs, table.retryAfterMs(now)) };
}
