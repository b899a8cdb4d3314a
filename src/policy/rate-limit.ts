import { shown } from "../core/faults.ts";
import { canonicalAddress } from "../core/ip-address.ts";

/** At most `maxRequests` accepted requests of one key in any `windowMs` milliseconds. */
export interface RateLimit {
  /**
   * What requests are told apart by: `"userId"`, `"deviceId"` and `"ipAddress"` are the connection's; any other word is
   * the name of an argument. Where there is no user id, device id or address, the limit does not apply. IPv6 addresses
   * are told apart by their network, the upper 64 bits.
   */
  readonly key: string;
  /** How many requests in the window are let in, a whole number above 0. */
  readonly maxRequests: number;
  /** Length of the sliding window, a whole number of milliseconds above 0. */
  readonly windowMs: number;
}

/** A limit for the requests of one API only. */
export interface ApiRateLimit extends RateLimit {
  /** The service of the API. */
  readonly service: string;
  /** Its name in that service. */
  readonly requestType: string;
}

/** Which requests a limit counts: all of them, or those of one API. */
export type RateLimitScope = "global" | { readonly service: string; readonly requestType: string };

/** A limit together with its scope. */
export interface ScopedRateLimit extends RateLimit {
  /** Which requests it counts. */
  readonly scope: RateLimitScope;
}

/** What a key of a limit can be worth: a user id, an address, an argument. */
export type RateLimitValue = string | number;

/** Whose counts a reset forgets: those of every value, by every limit, where nothing says otherwise. */
export interface RateLimitReset {
  /** Of this value alone. @default of every value */
  readonly value?: RateLimitValue | undefined;
  /** By the limits of this scope alone. @default by limits of every scope */
  readonly scope?: RateLimitScope | undefined;
  /** By the limits with this key alone. @default by limits with every key */
  readonly key?: string | undefined;
}

/** The part of a request that limits are found and decided by. */
export interface RateLimitedRequest {
  /** The service that it is for. */
  readonly service: string;
  /** The function's name in it. */
  readonly requestType: string;
  /** Its arguments, for limits by an argument. */
  readonly args: Readonly<Record<string, unknown>>;
  /** The connection's user, never the payload's, as the two below; null: nobody. */
  readonly userId: string | null;
  /** The connection's device. */
  readonly deviceId: string | null;
  /** As `canonicalAddress` writes it. */
  readonly ipAddress: string | null;
}

const limitFields = ["key", "maxRequests", "windowMs"];
const apiLimitFields = ["service", "requestType", ...limitFields];

/** Every fault of a limit, each beginning with the field that has it; none for a usable limit. */
export function checkLimit(limit: unknown): string[] {
  return isObject(limit) ? [...unknownFields(limit, limitFields), ...limitFaults(limit)] : [notALimit(limit)];
}

/** Every fault of a limit for one API, as {@link checkLimit} tells them. */
export function checkApiLimit(limit: unknown): string[] {
  if (!isObject(limit)) return [notALimit(limit)];
  return [...unknownFields(limit, apiLimitFields), ...apiFaults(limit), ...limitFaults(limit)];
}

/** Every fault in the choice of what is reset, each beginning with the field that has it. */
export function checkReset(reset: unknown): string[] {
  if (!isObject(reset)) return [`must be an object with value, scope and key, or left out, got ${shown(reset)}`];
  const { value, scope, key } = reset as Record<string, unknown>;
  const faults = unknownFields(reset, ["value", "scope", "key"]);
  if (value !== undefined && typeof value !== "string" && !Number.isFinite(value)) {
    faults.push(`value must be a string, a finite number or left out, got ${shown(value)}`);
  } else if (key === "ipAddress" && value !== undefined) {
    faults.push(...checkAddress(value, "value"));
  }
  if (scope !== undefined && scope !== "global" && (!isObject(scope) || apiFaults(scope).length > 0)) {
    faults.push(`scope must be "global", { service, requestType } or left out, got ${shown(scope)}`);
  }
  if (key !== undefined && !isName(key)) faults.push(`key must be a non-empty string or left out, got ${shown(key)}`);
  return faults;
}

/** The fault of what a host gives as an address, which begins with its name; none for an IP address. */
export function checkAddress(value: unknown, name: string): string[] {
  const isAddress = typeof value === "string" && canonicalAddress(value) !== undefined;
  return isAddress ? [] : [`${name} must be an IP address such as "10.0.0.1" or "2001:db8::1", got ${shown(value)}`];
}

/** A fault that tells the fields of `object` that are not `known`, and those that are; none without such fields. */
export function unknownFields(object: object, known: readonly string[]): string[] {
  const unknown = Object.keys(object).filter((field) => !known.includes(field));
  return unknown.length === 0 ? [] : [`${unknown.map(shown).join(", ")} is unknown; known are ${known.join(", ")}`];
}

function limitFaults(limit: object): string[] {
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

function apiFaults(limit: object): string[] {
  const { service, requestType } = limit as Partial<Record<keyof ApiRateLimit, unknown>>;
  const faults: string[] = [];
  if (!isName(service)) faults.push(`service must be a non-empty string, got ${shown(service)}`);
  if (!isName(requestType)) faults.push(`requestType must be a non-empty string, got ${shown(requestType)}`);
  return faults;
}

/** Which limit it is: one of the same scope, key and window replaces it and keeps its counts. */
export function limitIdentity({ scope, key, windowMs }: Omit<ScopedRateLimit, "maxRequests">): string {
  return JSON.stringify(scope === "global" ? [key, windowMs] : [key, windowMs, scope.service, scope.requestType]);
}

/** A scope in one word, for telemetry: `"global"` or `"service/request_type"`. */
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
