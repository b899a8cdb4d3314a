import { isMap } from "../core/is-map.ts";
import type { Claims } from "../core/request-info.ts";

/** Who may call a function: a FunConfig's `checkPermission`. */
export type PermissionMode =
  /** Every connection, even without a user id. */
  | false
  /** Every connection with a user id. */
  | "any_authenticated"
  /** Only the user named by the argument: "get my own profile". */
  | { readonly arg: string }
  /** Every connection with one of the roles. */
  | { readonly role: readonly string[] }
  /** Connections whose claim the argument repeats: "the data of my tenant". */
  | { readonly claim: string; readonly arg: string }
  /** Connections whose claim is one of these values. */
  | { readonly claim: string; readonly in: readonly ClaimValue[] };

/** A claim by which permission can be decided. */
type ClaimValue = string | number | boolean;

/** The basis of permissions: the connection's identity, never the claims of a payload. */
export interface Identity {
  readonly userId: string | null;
  readonly userRoles: readonly string[];
  readonly claims: Claims;
}

/**
 * Whether a connection with this identity may make the request. Decided before the arguments are validated, so `args`
 * are as the client sent them.
 *
 * With `{arg}` every occurrence of the argument must equal the user id, or the claim, and there must be at least one.
 * Which places count depends on how the function takes its arguments. A function that takes a list receives the
 * argument of that name: only the top level of `args` counts. A function that takes one map (`argOrders: "map"`) may
 * read the name from the map or from a map in it, such as `{filter: {user_id}}`: both the top level and the level below
 * count. A user thus cannot name himself in one place and another user in the other.
 */
export function isPermitted(
  mode: PermissionMode,
  identity: Identity,
  args: Readonly<Record<string, unknown>>,
  argOrders: readonly string[] | "map" | null | undefined,
): boolean {
  if (mode === false) return true;
  const { userId, userRoles } = identity;
  if (mode === "any_authenticated") return isUserId(userId);
  if ("role" in mode) return mode.role.some((role) => userRoles.includes(role));
  const below = argOrders === "map";
  if (!("claim" in mode)) return isUserId(userId) && namesOnly(userId, mode.arg, args, below);
  const claim = claimOf(identity.claims, mode.claim);
  if (claim === undefined) return false;
  return "in" in mode ? mode.in.includes(claim) : namesOnly(claim, mode.arg, args, below);
}

/** Whether there are arguments with which a connection with this identity may make the request. */
export function mayBePermitted(mode: PermissionMode, identity: Identity): boolean {
  if (mode === false || mode === "any_authenticated" || "role" in mode || "in" in mode) {
    return isPermitted(mode, identity, {}, null);
  }
  return "claim" in mode ? claimOf(identity.claims, mode.claim) !== undefined : isUserId(identity.userId);
}

/** Anonymous Phoenix clients send an empty user id; it must match no argument. */
function isUserId(userId: string | null): userId is string {
  return typeof userId === "string" && userId !== "";
}

/** A claim that can be compared; an empty string, like an empty user id, is none. */
function claimOf(claims: Claims, name: string): ClaimValue | undefined {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  if (typeof value === "number" || typeof value === "boolean") return value;
  return typeof value === "string" && value !== "" ? value : undefined;
}

function namesOnly(wanted: ClaimValue, name: string, args: Readonly<Record<string, unknown>>, below: boolean): boolean {
  let occurrences = 0;
  if (Object.hasOwn(args, name)) {
    if (args[name] !== wanted) return false;
    occurrences++;
  }
  if (!below) return occurrences > 0;
  for (const value of Object.values(args)) {
    if (!isMap(value) || !Object.hasOwn(value, name)) continue;
    if (value[name] !== wanted) return false;
    occurrences++;
  }
  return occurrences > 0;
}
