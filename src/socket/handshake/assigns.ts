import { types } from "node:util";
import { readClaims } from "../../call/request/claims.ts";
import { describe, libraryError } from "../../core/errors.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import type { Claims } from "../../core/request-info.ts";
import { readRoles, rolesRule } from "../../policy/roles.ts";
import type { ConnectRefusal } from "./read-handshake.ts";

const { isDate, isNativeError } = types;

/** The identity of a connection, as `connect` determined it. Requests get their identity only from here. */
export interface Assigns {
  /** The user of the connection; null or empty: anonymous. */
  readonly userId?: string | null;
  /** The user's roles, at most 1 000, for `checkPermission: {role}`. @default [] */
  readonly userRoles?: readonly string[];
  /** The device that connects. */
  readonly deviceId?: string | null;
  /**
   * What else you vouch for, such as the tenant in a verified token: JSON values by name, at most 8 KiB. Functions get
   * them as `requestInfo.claims`; permissions and limits can use them. @default {}
   */
  readonly claims?: Claims | null;
  /** The name under which `gateway.disconnect(id)` closes this connection and all others with it. */
  readonly id?: string | null;
  /**
   * When the client's token ends; the connection is then closed with 1001. Milliseconds since 1970, or a Date. A client
   * whose time is past or invalid is refused with 403.
   */
  readonly expiresAt?: number | Date | null;
  /** Further values for your channels. */
  readonly [name: string]: unknown;
}

/** The fields that the gateway itself uses. */
const ownFields = ["userId", "userRoles", "deviceId", "claims", "id", "expiresAt"] as const;

/** The last millisecond that a Date can hold. */
const lastTime = 8_640_000_000_000_000;

/**
 * Checks the value that a host's `connect` returned, so that a mistake there does not become a false identity. Every
 * field is read once, here: the result is a copy, of the same class, that cannot change later.
 *
 * @param now milliseconds since 1970
 * @returns the copy, or the refusal of a client whose `expiresAt` is past or invalid
 * @throws GenApiError `invalid_option` naming the field, or the error that the object throws when it is read
 */
export function readAssigns(assigns: unknown, now: number): { readonly assigns: Assigns } | ConnectRefusal {
  if (typeof assigns !== "object" || assigns === null || Array.isArray(assigns) || isNativeError(assigns)) {
    throw wrong("", "an object or null", assigns);
  }
  const fields: Record<string, unknown> = { ...assigns };
  // A class may define them as getters.
  for (const name of ownFields) if (!(name in fields) && name in assigns) fields[name] = Reflect.get(assigns, name);
  // Getters may have created promises of their own.
  hearPromises(fields);
  for (const name of ["userId", "deviceId", "id"] as const) {
    const value = fields[name];
    if (value !== undefined && value !== null && typeof value !== "string") throw wrong(`.${name}`, "a string", value);
  }
  if (fields.userRoles !== undefined) fields.userRoles = rolesOf(fields.userRoles);
  if (fields.claims !== undefined && fields.claims !== null) {
    fields.claims = readClaims(fields.claims, "What connect returns.claims");
  }
  const { expiresAt } = fields;
  if (expiresAt !== undefined && expiresAt !== null) {
    const at = timeOf(expiresAt);
    if (!Number.isFinite(at) || at > lastTime) return { status: 403, reason: "expiresAt is not a time" };
    if (at <= now) return { status: 403, reason: "expiresAt has passed" };
    fields.expiresAt = isDate(expiresAt) ? new Date(at) : at;
  }
  const copy = Object.create(Object.getPrototypeOf(assigns), Object.getOwnPropertyDescriptors(fields));
  return { assigns: copy as Assigns };
}

function rolesOf(value: unknown): readonly string[] {
  const roles = readRoles(value);
  if (roles !== null) return roles;
  hearPromises(value);
  throw wrong(".userRoles", rolesRule, value);
}

function timeOf(value: unknown): number {
  if (typeof value === "number") return value;
  if (isDate(value)) return Date.prototype.getTime.call(value);
  throw wrong(".expiresAt", "milliseconds since 1970 or a Date", value);
}

function wrong(field: string, allowed: string, value: unknown) {
  return libraryError("invalid_option", `What connect returns${field} must be ${allowed}, got ${describe(value)}`);
}
