import { describe, libraryError } from "../core/errors.ts";

/** Who a connection belongs to, as `connect` found out. Requests get their identity from here alone. */
export interface Assigns {
  /** The user whose connection it is; null or empty: nobody's. */
  readonly userId?: string | null;
  /** The roles of that user, for `checkPermission: {role}`. @default [] */
  readonly userRoles?: readonly string[];
  /** The device that connects. */
  readonly deviceId?: string | null;
  /** The name under which `runtime.disconnect(id)` closes this connection and all others with it. */
  readonly id?: string | null;
  /** When the client's token ends: the connection is closed then with 1001. Milliseconds since 1970, or a Date. */
  readonly expiresAt?: number | Date | null;
  /** Anything else that your channels want to know. */
  readonly [name: string]: unknown;
}

/**
 * Checks what a host's `connect` returned, so that a mistake there does not become somebody's identity.
 * @throws GenApiError `invalid_option` naming the field
 */
export function checkAssigns(assigns: unknown): Assigns {
  if (typeof assigns !== "object" || assigns === null || Array.isArray(assigns)) {
    throw wrong("", "an object or null", assigns);
  }
  const { userId, userRoles, deviceId, id, expiresAt } = assigns as Record<string, unknown>;
  for (const [name, value] of Object.entries({ userId, deviceId, id })) {
    if (value !== undefined && value !== null && typeof value !== "string") throw wrong(`.${name}`, "a string", value);
  }
  if (userRoles !== undefined && !(Array.isArray(userRoles) && userRoles.every((role) => typeof role === "string"))) {
    throw wrong(".userRoles", "a list of strings", userRoles);
  }
  if (expiresAt !== undefined && expiresAt !== null && Number.isNaN(Number(expiresAt))) {
    throw wrong(".expiresAt", "milliseconds since 1970 or a Date", expiresAt);
  }
  return assigns as Assigns;
}

function wrong(field: string, allowed: string, value: unknown) {
  return libraryError("invalid_option", `What connect returns${field} must be ${allowed}, got ${describe(value)}`);
}
