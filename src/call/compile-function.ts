import { type CompiledArguments, compileArguments } from "../arguments/compile-arguments.ts";
import type { ConfigEntry } from "../config/config-store.ts";
import { type FunConfig, type Mfa, parseFunConfig } from "../config/fun-config.ts";
import { allowedUrl, allowlistFault, type ModuleAllowlist } from "../config/module-allowlist.ts";
import type { Clock } from "../core/clock.ts";
import { faultsError } from "../core/faults.ts";
import { loadFunction, type ServiceFunction } from "../core/load-function.ts";
import type { Hook } from "../policy/hooks.ts";
import { functionKeyOf } from "../policy/node-selector.ts";
import { type RetryPlan, retryPlan } from "../policy/retry.ts";
import { type FunctionNodes, ListedNodes } from "./function-nodes.ts";
import { ResolvedNodes } from "./resolved-nodes.ts";

type ResponseType = FunConfig["responseType"];

/** A function, ready to be called. */
export interface Target {
  /** The URL of its ES module; where a node runs it, the name of one of the node's modules. */
  readonly module: string;
  /** Its name in the module. */
  readonly function: string;
  /** The function itself, where it runs on the gateway's own thread; null where it runs on a worker or a node. */
  readonly main: ServiceFunction | null;
  /** Nobody waits for its result. */
  readonly isCast: boolean;
  /** Milliseconds for an attempt; null without limit. */
  readonly timeoutMs: number | null;
}

/** What is made of a FunConfig once, when it is registered, so that its requests decide and look up nothing twice. */
export interface CompiledFunction extends ConfigEntry {
  readonly validate: CompiledArguments;
  readonly target: Target;
  /** Null where this gateway runs the function itself. */
  readonly nodes: FunctionNodes | null;
  readonly permissionCallback: Target | null;
  readonly beforeExecute: Hook | null;
  readonly afterExecute: Hook | null;
  readonly retryPlan: RetryPlan | null;
}

/** What compiling needs to know of the gateway. */
export interface FunctionSources extends ModuleAllowlist {
  /** For telemetry. */
  readonly gateway: string;
  readonly clock: Clock;
  /**
   * Whether a worker thread finds the function, one of those that run functions with such answers.
   * @throws GenApiError `module_unreadable` or `function_missing`
   */
  verifyOnWorker(moduleUrl: string, name: string, responseType: ResponseType): Promise<void>;
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
  const { permissionCallback, hookTimeout, timeout, responseType } = config;
  return {
    config,
    validate: compileArguments(config.argTypes, config.argOrders),
    target: await targetOf(config.mfa, config, timeout === "infinity" ? null : timeout, responseType, sources),
    permissionCallback:
      permissionCallback === null ? null : await targetOf(permissionCallback, config, hookTimeout, "sync", sources),
    nodes: await nodesOf(config, sources),
    beforeExecute: await hookOf(config.beforeExecute, config, sources),
    afterExecute: await hookOf(config.afterExecute, config, sources),
    retryPlan: retryPlan(config.retry),
  };
}

/** The same function for other nodes. */
export function withNodes(compiled: CompiledFunction, nodes: readonly string[]): CompiledFunction {
  const listed = new ListedNodes(functionKeyOf(compiled.config), nodes);
  return { ...compiled, config: Object.freeze({ ...compiled.config, nodes: [...listed.names()] }), nodes: listed };
}

async function targetOf(
  mfa: Mfa,
  { nodes, runOn }: FunConfig,
  timeoutMs: number | null,
  responseType: ResponseType,
  sources: FunctionSources,
): Promise<Target> {
  const isCast = responseType === "none";
  // Which modules and functions a node has is known there.
  if (nodes !== "local") return { module: mfa.module, function: mfa.function, main: null, isCast, timeoutMs };
  const module = urlOf(mfa, sources);
  const main = runOn === "main" ? (await loadFunction(module, mfa.function)).run : null;
  if (runOn === "worker") await sources.verifyOnWorker(module, mfa.function, responseType);
  return { module, function: mfa.function, main, isCast, timeoutMs };
}

async function nodesOf(config: FunConfig, sources: FunctionSources): Promise<FunctionNodes | null> {
  const { nodes } = config;
  if (nodes === "local") return null;
  const functionKey = functionKeyOf(config);
  if (!("module" in nodes)) return new ListedNodes(functionKey, nodes);
  const resolver = await loadHook(nodes, config, sources);
  return new ResolvedNodes(functionKey, resolver, config, sources.gateway, sources.clock);
}

async function hookOf(mfa: Mfa | null, config: FunConfig, sources: FunctionSources): Promise<Hook | null> {
  return mfa === null ? null : loadHook(mfa, config, sources);
}

/** A function that runs on the gateway's own thread. */
async function loadHook(mfa: Mfa, { hookTimeout }: FunConfig, sources: FunctionSources): Promise<Hook> {
  const { run } = await loadFunction(urlOf(mfa, sources), mfa.function);
  return { name: `${mfa.module}.${mfa.function}`, run, args: mfa.args, timeoutMs: hookTimeout };
}

function urlOf(mfa: Mfa, sources: FunctionSources): string {
  return allowedUrl(mfa, sources) ?? "";
}

/** Functions that this gateway would have to run and may not. */
function moduleFaults(config: FunConfig, sources: FunctionSources): string[] {
  const { nodes } = config;
  const isLocal = nodes === "local";
  const named = [
    ["nodes", !isLocal && "module" in nodes ? nodes : null],
    ["mfa", isLocal ? config.mfa : null],
    ["permissionCallback", isLocal ? config.permissionCallback : null],
    ["beforeExecute", config.beforeExecute],
    ["afterExecute", config.afterExecute],
  ] as const;
  return named.flatMap(([field, mfa]) => (mfa === null ? [] : (allowlistFault(field, mfa, sources, "gateway") ?? [])));
}
