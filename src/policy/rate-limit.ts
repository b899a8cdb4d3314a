import { shown } from "../core/faults.ts";

/** At most `maxRequests` accepted requests of one key in any `windowMs` milliseconds. */
export interface RateLimit {
  /**
   * What requests are told apart by: `"userId"`, `"deviceId"` and `"ipAddress"` are the connection's; any other word is
   * the name of an argument. Where there is no user id, device id or address, the limit does not apply. IPv6 addresses
   * are told apart by their network, the upper 64 bits.
   */
  readonly key: string;
  /** A whole number above 0. */
  readonly maxRequests: number;
  /** Length of the sliding window, a whole number of milliseconds above 0. */
  readonly windowMs: number;
}

/** A limit for the requests of one API only. */
export interface ApiRateLimit extends RateLimit {
  readonly service: string;
  readonly requestType: string;
}

/** Which requests a limit counts: all of them, or those of one API. */
export type RateLimitScope = "global" | { readonly service: string; readonly requestType: string };

/** A limit together with its scope. */
export interface ScopedRateLimit extends RateLimit {
  readonly scope: RateLimitScope;
}

/** What a key of a limit can be worth: a user id, an address, an argument. */
export type RateLimitValue = string | number;

/** The part of a request that limits are found and decided by. */
export interface RateLimitedRequest {
  readonly service: string;
  readonly requestType: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** These three are the connection's own, never the payload's. */
  readonly userId: string | null;
  readonly deviceId: string | null;
  readonly ipAddress: string | null;
}

/** Every fault of a limit, each beginning with the field that has it; none for a usable limit. */
export function checkLimit(limit: unknown): string[] {
  if (typeof limit !== "object" || limit === null) return [`must be a limit, got ${shown(limit)}`];
  const { key, maxRequests, windowMs } = limit as Partial<Record<keyof RateLimit, unknown>>;
  const faults: string[] = [];
  if (!isName(key)) {
    faults.push(`key must be "userId", "deviceId", "ipAddress" or an argument's name, got ${shown(key)}`);
  }
  if (!isCount(maxRequests)) faults.push(`maxRequests must be a whole number above 0, got ${shown(maxRequests)}`);
  if (!isCount(windowMs))
    faults.push(`windowMs must be a whole number of milliseconds above 0, got ${shown(windowMs)}`);
  return faults;
}

/** Every fault of a limit for one API, as {@link checkLimit} tells them. */
export function checkApiLimit(limit: unknown): string[] {
  if (typeof limit !== "object" || limit === null) return checkLimit(limit);
  const { service, requestType } = limit as Partial<Record<keyof ApiRateLimit, unknown>>;
  const faults: string[] = [];
  if (!isName(service)) faults.push(`service must be a non-empty string, got ${shown(service)}`);
  if (!isName(requestType)) faults.push(`requestType must be a non-empty string, got ${shown(requestType)}`);
  return [...faults, ...checkLimit(limit)];
}

/** Which limit it is: one of the same scope, key and window replaces it and keeps its counts. */
export function limitIdentity({ scope, key, windowMs }: Omit<ScopedRateLimit, "maxRequests">): string {
  return JSON.stringify(scope === "global" ? [key, windowMs] : [key, windowMs, scope.service, scope.requestType]);
}

/** A scope in one word, for telemetry: `"global"` or `"service/request_type"`. */
export function scopeName(scope: RateLimitScope): string {
  return scope === "global" ? scope : `${scope.service}/${scope.requestType}`;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
