import { claimPrefix, limitIdentity, type RateLimitScope, type ScopedRateLimit } from "./rate-limit.ts";
import { KeyCap } from "./rate-limit-key-cap.ts";
import { RateLimitTable } from "./rate-limit-table.ts";
import { RateLimitWindows } from "./rate-limit-window.ts";
import { type RateLimiterConfig, rateLimiterDefaults } from "./rate-limiter-options.ts";

const none: readonly RateLimitTable[] = [];
// Freeing a window takes longer the more cells it has.
const requestsLikeOneKey = 100;

/** The tables of all configured limits, found by the requests that they apply to. */
export class RateLimitTables {
  /** The caps: values that clients can invent must not take the room of users, addresses and claims. */
  readonly userAndAddressKeys = new KeyCap();
  readonly deviceAndArgumentKeys = new KeyCap();
  readonly #windows = new RateLimitWindows();
  #byIdentity = new Map<string, RateLimitTable>();
  #global = none;
  #byApi = new Map<string, Map<string, RateLimitTable[]>>();
  #config: RateLimiterConfig = rateLimiterDefaults;

  /** Memory held for windows, without the keys themselves. */
  get bytes(): number {
    return this.#windows.bytes;
  }

  /** The limits that count every request. */
  get global(): readonly RateLimitTable[] {
    return this.#global;
  }

  /** The limits that count the requests of one API, beside the global ones. */
  ofApi(service: string, requestType: string): readonly RateLimitTable[] {
    return this.#byApi.get(service)?.get(requestType) ?? none;
  }

  /** The tables of one scope and key, or of any if left out; the global ones first. */
  matching(scope?: RateLimitScope, key?: string): RateLimitTable[] {
    return [...this.#byIdentity.values()].filter(
      ({ limit }) =>
        (key === undefined || limit.key === key) && (scope === undefined || isSameScope(limit.scope, scope)),
    );
  }

  /** Creates tables for new limits and retires those of limits that are gone; the others keep their counts. */
  configure(config: RateLimiterConfig): void {
    const { globalLimits, apiLimits, maxKeys } = config;
    this.#config = config;
    this.userAndAddressKeys.maxKeys = maxKeys;
    this.deviceAndArgumentKeys.maxKeys = maxKeys;
    const previous = this.#byIdentity;
    this.#byIdentity = new Map();
    this.#global = globalLimits.map(({ key, maxRequests, windowMs }) =>
      this.#add({ scope: "global", key, maxRequests, windowMs }, previous),
    );
    this.#byApi = new Map();
    for (const { service, requestType, key, maxRequests, windowMs } of apiLimits) {
      const table = this.#add({ scope: { service, requestType }, key, maxRequests, windowMs }, previous);
      const types = this.#byApi.get(service) ?? new Map<string, RateLimitTable[]>();
      this.#byApi.set(service, types.set(requestType, [...(types.get(requestType) ?? []), table]));
    }
    for (const table of previous.values()) table.retire();
  }

  /** Forgets everything these tables counted. Sweeping frees their windows. */
  renew(tables: readonly RateLimitTable[]): void {
    for (const table of tables) {
      this.#byIdentity.delete(limitIdentity(table.limit));
      table.retire();
    }
    this.configure(this.#config);
  }

  /** Evicts about `maxKeys` keys without requests; a key with many requests still stored counts as several. */
  sweep(now: number, maxKeys: number): { removed: number; more: boolean } {
    let removed = 0;
    let left = maxKeys;
    for (const cap of [this.userAndAddressKeys, this.deviceAndArgumentKeys]) {
      for (let requests = 1; left > 0 && requests > 0; ) {
        requests = cap.evictIdle(now);
        if (requests === 0) continue;
        removed++;
        left -= Math.ceil(requests / requestsLikeOneKey);
      }
    }
    return { removed, more: left <= 0 };
  }

  #add(limit: ScopedRateLimit, previous: Map<string, RateLimitTable>): RateLimitTable {
    const identity = limitIdentity(limit);
    const { key } = limit;
    const isVouchedFor = key === "userId" || key === "ipAddress" || key.startsWith(claimPrefix);
    const cap = isVouchedFor ? this.userAndAddressKeys : this.deviceAndArgumentKeys;
    const table = previous.get(identity) ?? new RateLimitTable(limit, this.#windows, cap);
    previous.delete(identity);
    table.change(limit);
    this.#byIdentity.set(identity, table);
    return table;
  }
}

function isSameScope(one: RateLimitScope, other: RateLimitScope): boolean {
  if (one === "global" || other === "global") return one === other;
  return one.service === other.service && one.requestType === other.requestType;
}
