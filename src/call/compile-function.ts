import { type CompiledArguments, compileArguments } from "../arguments/compile-arguments.ts";
import type { ConfigEntry } from "../config/config-store.ts";
import { type FunConfig, type Mfa, parseFunConfig } from "../config/fun-config.ts";
import { libraryError } from "../core/errors.ts";
import { faultsError } from "../core/faults.ts";
import { loadFunction, type ServiceFunction } from "../core/load-function.ts";

/** What is made of a FunConfig once, when it is registered, so that its requests decide and look up nothing twice. */
export interface CompiledFunction extends ConfigEntry {
  readonly validate: CompiledArguments;
  /** The ES module of the function, for functions of this gateway; null for those of nodes. */
  readonly moduleUrl: string | null;
  /** The function itself, where it runs on the gateway's own thread. */
  readonly main: ServiceFunction | null;
  /** Milliseconds for an attempt; null without limit. */
  readonly timeoutMs: number | null;
}

/** What compiling needs to know of the gateway. */
export interface FunctionSources {
  /** Module names and their ES modules: the allowlist of what can run. */
  readonly modules: ReadonlyMap<string, string>;
  /** Narrows `modules` to single functions: `"module.function"`, or `"module"` for all of one; null allows all. */
  readonly mfaAllowlist: ReadonlySet<string> | null;
  /** Whether a worker thread finds the function. @throws GenApiError `module_unreadable` or `function_missing` */
  verifyOnWorker(moduleUrl: string, name: string): Promise<void>;
}

/**
 * Checks a configuration, finds the functions that it names, and compiles it.
 *
 * @throws GenApiError `invalid_config` that lists every fault; `module_unreadable` or `function_missing` naming the module
 */
export async function compileFunction(value: unknown, sources: FunctionSources): Promise<CompiledFunction> {
  const config = parseFunConfig(value);
  const moduleUrl = config.nodes === "local" ? moduleOf(config, config.mfa, sources) : null;
  if (moduleUrl !== null && config.runOn === "worker") await sources.verifyOnWorker(moduleUrl, config.mfa.function);
  return {
    config,
    validate: compileArguments(config.argTypes, config.argOrders),
    moduleUrl,
    main: moduleUrl !== null && config.runOn === "main" ? await loadFunction(moduleUrl, config.mfa.function) : null,
    timeoutMs: config.timeout === "infinity" ? null : config.timeout,
  };
}

function moduleOf(config: FunConfig, mfa: Mfa, sources: FunctionSources): string {
  const url = sources.modules.get(mfa.module);
  const what = `Invalid FunConfig ${config.service}.${config.requestType}`;
  if (url === undefined) {
    const known = [...sources.modules.keys()].map((name) => JSON.stringify(name)).join(", ");
    throw faultsError("invalid_config", what, [
      `mfa.module must be one of the gateway's modules (${known || "none"}), got ${JSON.stringify(mfa.module)}`,
    ]);
  }
  const { mfaAllowlist } = sources;
  if (mfaAllowlist !== null && !mfaAllowlist.has(mfa.module) && !mfaAllowlist.has(`${mfa.module}.${mfa.function}`)) {
    throw libraryError("invalid_config", `${what}: mfa ${mfa.module}.${mfa.function} is not in mfaAllowlist`);
  }
  return url;
}
