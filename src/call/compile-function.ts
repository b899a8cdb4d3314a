import { type CompiledArguments, compileArguments } from "../arguments/compile-arguments.ts";
import type { ConfigEntry } from "../config/config-store.ts";
import { type FunConfig, type Mfa, parseFunConfig } from "../config/fun-config.ts";
import { faultsError } from "../core/faults.ts";
import { loadFunction, type ServiceFunction } from "../core/load-function.ts";
import type { Hook } from "../policy/hooks.ts";
import { type RetryPlan, retryPlan } from "../policy/retry.ts";

/** A function of this gateway, ready to be called. */
export interface Target {
  /** The URL of its ES module, and its name in it. */
  readonly module: string;
  readonly function: string;
  /** The function itself, where it runs on the gateway's own thread; null where it runs on a worker. */
  readonly main: ServiceFunction | null;
  /** Milliseconds for an attempt; null without limit. */
  readonly timeoutMs: number | null;
}

/** What is made of a FunConfig once, when it is registered, so that its requests decide and look up nothing twice. */
export interface CompiledFunction extends ConfigEntry {
  readonly validate: CompiledArguments;
  /** Null where nodes run the function. */
  readonly target: Target | null;
  readonly permissionCallback: Target | null;
  readonly beforeExecute: Hook | null;
  readonly afterExecute: Hook | null;
  readonly retryPlan: RetryPlan | null;
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
  const faults = moduleFaults(config, sources);
  if (faults.length > 0) {
    throw faultsError("invalid_config", `Invalid FunConfig ${config.service}.${config.requestType}`, faults);
  }
  const { permissionCallback, hookTimeout, timeout } = config;
  const isLocal = config.nodes === "local";
  const timeoutMs = timeout === "infinity" ? null : timeout;
  return {
    config,
    validate: compileArguments(config.argTypes, config.argOrders),
    target: isLocal ? await targetOf(config.mfa, config, timeoutMs, sources) : null,
    permissionCallback:
      isLocal && permissionCallback !== null ? await targetOf(permissionCallback, config, hookTimeout, sources) : null,
    beforeExecute: await hookOf(config.beforeExecute, config, sources),
    afterExecute: await hookOf(config.afterExecute, config, sources),
    retryPlan: retryPlan(config.retry),
  };
}

async function targetOf(mfa: Mfa, { runOn }: FunConfig, timeoutMs: number | null, sources: FunctionSources) {
  const module = urlOf(mfa, sources);
  const main = runOn === "main" ? (await loadFunction(module, mfa.function)).run : null;
  if (runOn === "worker") await sources.verifyOnWorker(module, mfa.function);
  return { module, function: mfa.function, main, timeoutMs };
}

async function hookOf(mfa: Mfa | null, { hookTimeout }: FunConfig, sources: FunctionSources): Promise<Hook | null> {
  if (mfa === null) return null;
  const { run } = await loadFunction(urlOf(mfa, sources), mfa.function);
  return { name: `${mfa.module}.${mfa.function}`, run, args: mfa.args, timeoutMs: hookTimeout };
}

function urlOf(mfa: Mfa, sources: FunctionSources): string {
  return sources.modules.get(mfa.module) ?? "";
}

/** Functions that this gateway would have to run and may not. */
function moduleFaults(config: FunConfig, { modules, mfaAllowlist }: FunctionSources): string[] {
  const isLocal = config.nodes === "local";
  const named = [
    ["mfa", isLocal ? config.mfa : null],
    ["permissionCallback", isLocal ? config.permissionCallback : null],
    ["beforeExecute", config.beforeExecute],
    ["afterExecute", config.afterExecute],
  ] as const;
  return named.flatMap(([field, mfa]) => {
    if (mfa === null) return [];
    if (!modules.has(mfa.module)) {
      const known = [...modules.keys()].map((name) => JSON.stringify(name)).join(", ") || "none";
      return [`${field}.module must be one of the gateway's modules (${known}), got ${JSON.stringify(mfa.module)}`];
    }
    const name = `${mfa.module}.${mfa.function}`;
    const isAllowed = mfaAllowlist === null || mfaAllowlist.has(mfa.module) || mfaAllowlist.has(name);
    return isAllowed ? [] : [`${field} ${name} is not in mfaAllowlist`];
  });
}
