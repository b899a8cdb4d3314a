/** The most roles that a connection may have: they travel with its calls. */
const maxRoles = 1_000;

/** What roles have to be, for messages. */
export const rolesRule = `a list of at most ${maxRoles} strings`;

/** A copy of a user's roles as a host gives them; null for anything else. Reads no more of a list than may be in it. */
export function readRoles(value: unknown): readonly string[] | null {
  if (!Array.isArray(value) || value.length > maxRoles) return null;
  const roles: unknown[] = [...value];
  return roles.every((role) => typeof role === "string") ? roles : null;
}
