import type { Mfa } from "./fun-config.ts";

/** What a gateway or a service node itself may run. */
export interface ModuleAllowlist {
  /** Module names and their ES modules. */
  readonly modules: ReadonlyMap<string, string>;
  /** Narrows `modules` to single functions: `"module.function"`, or `"module"` for all of one; null allows all. */
  readonly mfaAllowlist: ReadonlySet<string> | null;
}

type Called = Pick<Mfa, "module" | "function">;

/** The URL of the ES module of a function; null where that may not run. */
export function allowedUrl({ module, function: name }: Called, { modules, mfaAllowlist }: ModuleAllowlist) {
  const isAllowed = mfaAllowlist === null || mfaAllowlist.has(module) || mfaAllowlist.has(`${module}.${name}`);
  return (isAllowed ? modules.get(module) : null) ?? null;
}

/**
 * What is wrong with naming a function that may not run; null where it may.
 *
 * @param path what names it, such as "mfa"
 * @param owner whose allowlist it is
 */
export function allowlistFault(
  path: string,
  called: Called,
  allowlist: ModuleAllowlist,
  owner: "gateway" | "node",
): string | null {
  if (allowedUrl(called, allowlist) !== null) return null;
  const { modules } = allowlist;
  if (modules.has(called.module)) return `${path} ${called.module}.${called.function} is not in mfaAllowlist`;
  const known = [...modules.keys()].map((name) => JSON.stringify(name)).join(", ") || "none";
  return `${path}.module must be one of the ${owner}'s modules (${known}), got ${JSON.stringify(called.module)}`;
}
