import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";
import {
  type ApiRateLimit,
  checkApiLimit,
  checkLimit,
  limitIdentity,
  type RateLimit,
  unknownFields,
} from "./rate-limit.ts";

/** The rate limiter's options that can change while the gateway runs. */
export interface RateLimiterConfig {
  /** False lets every request through, uncounted. @default true */
  readonly enabled: boolean;
  /**
   * What happens to a request that the limiter cannot decide, because it failed or because all `maxKeys` are in use:
   * true lets the request through, false refuses it. @default true
   */
  readonly failOpen: boolean;
  /** Whether requests that functions make of other functions count as well as their client's. @default false */
  readonly countNested: boolean;
  /** Limits that count every request. @default none */
  readonly globalLimits: readonly RateLimit[];
  /** Limits that count the requests of one API; they apply beside the global ones. @default none */
  readonly apiLimits: readonly ApiRateLimit[];
  /**
   * At most this many keys with requests in their windows. Users, addresses and claims share one such limit; devices and
   * arguments share a second one of the same size, because clients choose those values. A key counts once for each limit that uses
   * it, and takes up to 200 bytes and up to 8 for each request in its window. @default 1_000_000
   */
  readonly maxKeys: number;
}

/** The gateway's option `rateLimiter`. */
export interface RateLimiterOptions extends Partial<RateLimiterConfig> {
  /** How often the limiter removes keys without requests, milliseconds. @default 1_000 */
  readonly sweepIntervalMs?: number;
  /** How many keys it removes before other work gets its turn. @default 1_000 */
  readonly keysPerSweep?: number;
}

/** The defaults of {@link RateLimiterOptions}. */
export const rateLimiterDefaults: Required<RateLimiterOptions> = {
  enabled: true,
  failOpen: true,
  countNested: false,
  globalLimits: [],
  apiLimits: [],
  maxKeys: 1_000_000,
  sweepIntervalMs: 1000,
  keysPerSweep: 1000,
};

const changeable = ["enabled", "failOpen", "countNested", "globalLimits", "apiLimits", "maxKeys"];

/**
 * `config` with the values of `changes`.
 * @throws GenApiError `invalid_option`, listing every fault
 */
export function changedConfig(config: RateLimiterConfig, changes: Partial<RateLimiterConfig>): RateLimiterConfig {
  const faults = checkRateLimiterOptions(changes);
  if (faults.length > 0) throw libraryError("invalid_option", faults.map((fault) => `rateLimiter.${fault}`).join("; "));
  const {
    enabled = config.enabled,
    failOpen = config.failOpen,
    countNested = config.countNested,
    globalLimits = config.globalLimits,
    apiLimits = config.apiLimits,
    maxKeys = config.maxKeys,
  } = changes;
  // A copy: the caller still holds the lists, and may change them.
  return structuredClone({ enabled, failOpen, countNested, globalLimits, apiLimits, maxKeys });
}

/** Every fault of a change to the configuration while the gateway runs, in the form of {@link checkRateLimiterOptions}. */
export function checkConfigChanges(changes: unknown): string[] {
  if (typeof changes !== "object" || changes === null) return [`must be an object of changes, got ${shown(changes)}`];
  return [...unknownFields(changes, changeable), ...checkRateLimiterOptions(changes)];
}

/** Every fault of the options that are given, each beginning with its path: `globalLimits[0].windowMs must be …`. */
export function checkRateLimiterOptions(options: RateLimiterOptions): string[] {
  const { globalLimits = [], apiLimits = [] } = options;
  return [
    ...flagFaults(options, "enabled"),
    ...flagFaults(options, "failOpen"),
    ...flagFaults(options, "countNested"),
    ...countFaults(options, "maxKeys"),
    ...countFaults(options, "sweepIntervalMs"),
    ...countFaults(options, "keysPerSweep"),
    ...limitFaults("globalLimits", globalLimits, checkLimit, (limit) => limitIdentity({ ...limit, scope: "global" })),
    ...limitFaults("apiLimits", apiLimits, checkApiLimit, (limit) => limitIdentity({ ...limit, scope: limit })),
  ];
}

function flagFaults(options: RateLimiterOptions, name: "enabled" | "failOpen" | "countNested"): string[] {
  const value = options[name];
  return value === undefined || typeof value === "boolean"
    ? []
    : [`${name} must be true or false, got ${shown(value)}`];
}

function countFaults(options: RateLimiterOptions, name: "maxKeys" | "sweepIntervalMs" | "keysPerSweep"): string[] {
  const value = options[name];
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return [];
  return [`${name} must be a whole number above 0, got ${shown(value)}`];
}

function limitFaults<Limit>(
  name: string,
  limits: readonly Limit[],
  check: (limit: unknown) => string[],
  identity: (limit: Limit) => string,
): string[] {
  if (!Array.isArray(limits)) return [`${name} must be a list of limits, got ${shown(limits)}`];
  const places = new Map<string, number>();
  return limits.flatMap((limit, place) => {
    if (typeof limit !== "object" || limit === null) return [`${name}[${place}] must be a limit, got ${shown(limit)}`];
    const faults = check(limit).map((fault) => `${name}[${place}].${fault}`);
    if (faults.length > 0) return faults;
    const same = places.get(identity(limit));
    places.set(identity(limit), place);
    return same === undefined ? [] : [`${name}[${place}] has the key and windowMs of ${name}[${same}]`];
  });
}
