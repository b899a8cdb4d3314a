import type { FunctionPlace } from "../execution/load-function.ts";
import type { Mfa } from "./fun-config.ts";
import type { Modules } from "./modules.ts";

/** The functions that a gateway or a service node itself may run. */
export interface ModuleAllowlist {
  readonly modules: Modules;
  /** Restricts `modules` to single functions: `"module.function"`, or `"module"` for all of one; null allows all. */
  readonly mfaAllowlist: ReadonlySet<string> | null;
}

type Called = Pick<Mfa, "module" | "function">;

/** A function's location; null if it may not run. */
export function allowedPlace(called: Called, { modules, mfaAllowlist }: ModuleAllowlist): FunctionPlace | null {
  const { module: moduleName, function: name } = called;
  const isAllowed = mfaAllowlist === null || mfaAllowlist.has(moduleName) || mfaAllowlist.has(`${moduleName}.${name}`);
  const found = isAllowed ? modules.find(moduleName, name) : null;
  return found === null ? null : { module: found.url, moduleName, function: name, ofService: found.ofService };
}

/**
 * The fault of naming a function that may not run; null if it may.
 *
 * @param path the field that names it, such as "mfa"
 * @param owner whose allowlist it is
 */
export function allowlistFault(
  path: string,
  called: Called,
  allowlist: ModuleAllowlist,
  owner: "gateway" | "node",
): string | null {
  if (allowedPlace(called, allowlist) !== null) return null;
  const { modules } = allowlist;
  if (modules.has(called.module)) return `${path} ${called.module}.${called.function} is not in mfaAllowlist`;
  const known = modules.names.map((name) => JSON.stringify(name)).join(", ") || "none";
  return `${path}.module must be one of the ${owner}'s modules (${known}), got ${JSON.stringify(called.module)}`;
}
