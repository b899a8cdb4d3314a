/** Who may call a function, as a FunConfig's `checkPermission` says it. */
export type PermissionMode =
  /** Everybody, also without a user id. */
  | false
  /** Every connection that has a user id. */
  | "any_authenticated"
  /** Only the user that the argument names: "get my own profile". */
  | { readonly arg: string }
  /** Every connection that has one of the roles. */
  | { readonly role: readonly string[] };

/** What a permission is decided from: the connection's identity. What a payload says of itself never counts. */
export interface Identity {
  readonly userId: string | null;
  readonly userRoles: readonly string[];
}

/**
 * Whether a connection with this identity may make the request. Decided before the arguments are validated, so `args`
 * is whatever the client sent.
 *
 * With `{arg}` every occurrence of the argument must be a string equal to the user id, and there must be one. Where
 * it counts as an occurrence depends on how the function takes its arguments. Called with a list of them, it receives
 * the argument of that name: only the top level of `args` counts. Called with one map (`argOrders: "map"`), it may
 * read the name from the map or from a map in it, such as `{filter: {user_id}}`: the top level and one level below
 * count, together. A user may thus not name himself in one place and somebody else in another.
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
  return isUserId(userId) && namesOnly(userId, mode.arg, args, argOrders === "map");
}

/** Phoenix clients that are nobody send an empty user id; it must match no argument. */
function isUserId(userId: string | null): userId is string {
  return typeof userId === "string" && userId !== "";
}

function namesOnly(userId: string, name: string, args: Readonly<Record<string, unknown>>, below: boolean): boolean {
  let occurrences = 0;
  if (Object.hasOwn(args, name)) {
    if (args[name] !== userId) return false;
    occurrences++;
  }
  if (!below) return occurrences > 0;
  for (const value of Object.values(args)) {
    if (!isMap(value) || !Object.hasOwn(value, name)) continue;
    if (value[name] !== userId) return false;
    occurrences++;
  }
  return occurrences > 0;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
