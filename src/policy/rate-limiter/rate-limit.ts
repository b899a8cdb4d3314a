import { shown } from "../../core/faults.ts";
import { canonicalAddress } from "../../core/net/ip-address.ts";
import type { Claims } from "../../core/request-info.ts";

/** At most `maxRequests` accepted requests of one key in any `windowMs` milliseconds. */
export interface RateLimit {
  /**
   * The property by which requests are counted: `"userId"`, `"deviceId"` and `"ipAddress"` are those of the connection,
   * `"claims.tenant"` is its claim `tenant`; any other word is the name of an argument. The limit does not apply to
   * requests without that id, address or claim. IPv6 addresses are counted by network, their upper 64 bits.
   */
  readonly key: string;
  /** The most requests let in per window, a whole number above 0. */
  readonly maxRequests: number;
  /** Length of the sliding window, a whole number of milliseconds above 0. */
  readonly windowMs: number;
}

/** A limit for the requests of a single API. */
export interface ApiRateLimit extends RateLimit {
  /** The service of the API. */
  readonly service: string;
  /** Its name in that service. */
  readonly requestType: string;
}

/** The requests that a limit counts: all, or those of one API. */
export type RateLimitScope = "global" | { readonly service: string; readonly requestType: string };

/** A limit together with its scope. */
export interface ScopedRateLimit extends RateLimit {
  /** The requests that it counts. */
  readonly scope: RateLimitScope;
}

/** A value of a limit's key: a user id, an address, an argument. */
export type RateLimitValue = string | number;

/** Selects the counts that a reset clears; without any field, all of them. */
export interface RateLimitReset {
  /** Only counts of this value. @default all values */
  readonly value?: RateLimitValue | undefined;
  /** Only counts of limits with this scope. @default all scopes */
  readonly scope?: RateLimitScope | undefined;
  /** Only counts of limits with this key. @default all keys */
  readonly key?: string | undefined;
}

/** The part of a request that selects its limits and decides by them. */
export interface RateLimitedRequest {
  /** The service it calls. */
  readonly service: string;
  /** The function's name in the service. */
  readonly requestType: string;
  /** Its arguments, for limits by an argument. */
  readonly args: Readonly<Record<string, unknown>>;
  /** The user of the connection, never of the payload, as are the next two; null: anonymous. */
  readonly userId: string | null;
  /** The connection's device. */
  readonly deviceId: string | null;
  /** In the notation of `canonicalAddress`. */
  readonly ipAddress: string | null;
  /** The connection's claims, for limits by a claim. @default {} */
  readonly claims?: Claims;
}

/** A key with this prefix names a claim. */
export const claimPrefix = "claims.";

const limitFields = ["key", "maxRequests", "windowMs"];
const apiLimitFields = ["service", "requestType", ...limitFields];

/** Every fault of a limit, each beginning with the name of its field; none for a valid limit. */
export function checkLimit(limit: unknown): string[] {
  return isObject(limit) ? [...unknownFields(limit, limitFields), ...limitFaults(limit)] : [notALimit(limit)];
}

/** Every fault of a limit for one API, in the form of {@link checkLimit}. */
export function checkApiLimit(limit: unknown): string[] {
  if (!isObject(limit)) return [notALimit(limit)];
  return [...unknownFields(limit, apiLimitFields), ...apiFaults(limit), ...limitFaults(limit)];
}

/** Every fault in the selection of a reset, each beginning with the name of its field. */
export function checkReset(reset: unknown): string[] {
  if (!isObject(reset)) return [`must be an object with value, scope and key, or left out, got ${shown(reset)}`];
  const { value, scope, key } = reset as Record<string, unknown>;
  return [
    ...unknownFields(reset, ["value", "scope", "key"]),
    ...(value === undefined ? [] : checkValue(value, key, "a string, a finite number or left out")),
    ...checkChoice(scope, key),
  ];
}

/**
 * The fault of what a host gives as the value of a key; none for one that a key can have.
 * @param allowed what may be given there
 */
export function checkValue(value: unknown, key: unknown, allowed = "a string or a finite number"): string[] {
  if (typeof value !== "string" && !Number.isFinite(value)) return [`value must be ${allowed}, got ${shown(value)}`];
  return key === "ipAddress" ? checkAddress(value, "value") : [];
}

/** The faults in the choice of the limits of a scope and key; either may be left out. */
export function checkChoice(scope: unknown, key: unknown): string[] {
  const faults: string[] = [];
  if (scope !== undefined && scope !== "global" && (!isObject(scope) || apiFaults(scope).length > 0)) {
    faults.push(`scope must be "global", { service, requestType } or left out, got ${shown(scope)}`);
  }
  if (key !== undefined && !isName(key)) faults.push(`key must be a non-empty string or left out, got ${shown(key)}`);
  return faults;
}

/** Every fault of a request that limits are asked about, each beginning with the field that has it. */
export function checkRequest(request: object): string[] {
  const { service, requestType, args, userId, deviceId, ipAddress, claims } = request as Record<string, unknown>;
  const texts = Object.entries({ service, requestType }).filter(([, value]) => typeof value !== "string");
  const ids = Object.entries({ userId, deviceId }).filter(([, id]) => id !== null && typeof id !== "string");
  return [
    ...texts.map(([name, value]) => `${name} must be a string, got ${shown(value)}`),
    ...(isObject(args) ? [] : [`args must be an object, got ${shown(args)}`]),
    ...(claims === undefined || isObject(claims) ? [] : [`claims must be an object or left out, got ${shown(claims)}`]),
    ...ids.map(([name, value]) => `${name} must be a string or null, got ${shown(value)}`),
    ...(ipAddress === null ? [] : checkAddress(ipAddress, "ipAddress")),
  ];
}

/** The fault of what a host gives as an address, which begins with its name; none for an IP address. */
function checkAddress(value: unknown, name: string): string[] {
  const isAddress = typeof value === "string" && canonicalAddress(value) !== undefined;
  return isAddress ? [] : [`${name} must be an IP address such as "10.0.0.1" or "2001:db8::1", got ${shown(value)}`];
}

/**
 * A fault that lists the fields of `object` that are not `known`, and the known ones; none if there are no such fields.
 */
export function unknownFields(object: object, known: readonly string[]): string[] {
  const unknown = Object.keys(object).filter((field) => !known.includes(field));
  return unknown.length === 0 ? [] : [`${unknown.map(shown).join(", ")} is unknown; known are ${known.join(", ")}`];
}

function limitFaults(limit: object): string[] {
  const { key, maxRequests, windowMs } = limit as Partial<Record<keyof RateLimit, unknown>>;
  const faults: string[] = [];
  if (!isName(key) || key === claimPrefix) {
    faults.push(
      `key must be "userId", "deviceId", "ipAddress", "claims.NAME" or an argument's name, got ${shown(key)}`,
    );
  }
  if (!isCount(maxRequests)) faults.push(`maxRequests must be a whole number above 0, got ${shown(maxRequests)}`);
  if (!isCount(windowMs))
    faults.push(`windowMs must be a whole number of milliseconds above 0, got ${shown(windowMs)}`);
  return faults;
}

function apiFaults(limit: object): string[] {
  const { service, requestType } = limit as Partial<Record<keyof ApiRateLimit, unknown>>;
  const faults: string[] = [];
  if (!isName(service)) faults.push(`service must be a non-empty string, got ${shown(service)}`);
  if (!isName(requestType)) faults.push(`requestType must be a non-empty string, got ${shown(requestType)}`);
  return faults;
}

/** Identifies a limit: another one of the same scope, key and window replaces it and keeps its counts. */
export function limitIdentity({ scope, key, windowMs }: Omit<ScopedRateLimit, "maxRequests">): string {
  return JSON.stringify(scope === "global" ? [key, windowMs] : [key, windowMs, scope.service, scope.requestType]);
}

/** A scope as one word, for telemetry: `"global"` or `"service/request_type"`. */
export function scopeName(scope: RateLimitScope): string {
  return scope === "global" ? scope : `${scope.service}/${scope.requestType}`;
}

function notALimit(value: unknown): string {
  return `must be a limit, got ${shown(value)}`;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
