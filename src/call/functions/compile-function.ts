import { type CompiledArguments, compileArguments } from "../../arguments/compile-arguments.ts";
import { jsonFault } from "../../config/carried-values.ts";
import { type FunConfig, type Mfa, parseFunConfig } from "../../config/fun-config.ts";
import type { ConfigEntry } from "../../config/function-table.ts";
import { usesOnGateway } from "../../config/function-uses.ts";
import { allowedPlace, allowlistFault, type ModuleAllowlist } from "../../config/module-allowlist.ts";
import { libraryError } from "../../core/errors.ts";
import { faultsError } from "../../core/faults.ts";
import type { Clock } from "../../core/time/clock.ts";
import { type FunctionKind, kindFault, kindOfFunction } from "../../execution/function-kind.ts";
import { checkName, type FunctionPlace, type LoadedFunction } from "../../execution/load-function.ts";
import type { MainFunctions } from "../../execution/main-functions.ts";
import type { Hook } from "../../policy/hooks.ts";
import { type RetryPlan, retryPlan } from "../../policy/retry.ts";
import { functionKeyOf } from "../../policy/selection/node-selector.ts";
import { type FunctionNodes, ListedNodes } from "./function-nodes.ts";
import { ResolvedNodes } from "./resolved-nodes.ts";

type ResponseType = FunConfig["responseType"];

/** A function, ready to be called. */
export interface CallTarget extends FunctionPlace {
  /** The URL of its ES module; for a node, the same as `moduleName`: the name of one of the node's modules. */
  readonly module: string;
  /** The function itself if it runs on the gateway's own thread; null if it runs on a worker or a node. */
  readonly main: LoadedFunction | null;
  /** Whether no caller waits for its result. */
  readonly isCast: boolean;
  /** Time limit of an attempt, milliseconds; null without limit. */
  readonly timeoutMs: number | null;
}

/**
 * The compiled form of a FunConfig, made once at registration, so that its requests decide and look up nothing twice.
 */
export interface CompiledFunction extends ConfigEntry {
  readonly validate: CompiledArguments;
  /** Whether it receives anything that its client sends. */
  readonly takesArguments: boolean;
  readonly target: CallTarget;
  /** Null if this gateway runs the function itself. */
  readonly nodes: FunctionNodes | null;
  readonly permissionCallback: CallTarget | null;
  /** Asks the function's schema before the acknowledgement; null if there is none, or nothing to acknowledge here. */
  readonly argumentsCheck: CallTarget | null;
  readonly beforeExecute: Hook | null;
  readonly afterExecute: Hook | null;
  readonly retryPlan: RetryPlan | null;
}

/** The parts of the gateway that compiling needs. */
export interface FunctionDeps extends ModuleAllowlist {
  /** For telemetry. */
  readonly gateway: string;
  readonly clock: Clock;
  readonly mainFunctions: Pick<MainFunctions, "load">;
  /**
   * Finds the function on a worker thread of the pool for this response type.
   * @returns its kind
   * @throws GenApiError `module_unreadable` or `function_missing`
   */
  verifyOnWorker(place: FunctionPlace, responseType: ResponseType): Promise<FunctionKind>;
}

/**
 * Checks a configuration, finds its functions, and compiles it.
 *
 * @throws GenApiError `invalid_config` that lists every fault; `module_unreadable` or `function_missing` naming the
 * module
 */
export async function compileFunction(value: unknown, deps: FunctionDeps): Promise<CompiledFunction> {
  const config = parseFunConfig(value);
  const faults = [...moduleFaults(config, deps), ...sentFaults(config)];
  if (faults.length > 0) {
    throw faultsError("invalid_config", `Invalid FunConfig ${config.service}.${config.requestType}`, faults);
  }
  const { permissionCallback, hookTimeout, timeout, responseType } = config;
  return {
    config,
    validate: compileArguments(config.argTypes, config.argOrders),
    takesArguments: config.argTypes === "schema" || Object.keys(config.argTypes ?? {}).length > 0,
    target: await targetOf("mfa", config.mfa, config, timeout === "infinity" ? null : timeout, responseType, deps),
    permissionCallback:
      permissionCallback === null
        ? null
        : await targetOf("permissionCallback", permissionCallback, config, hookTimeout, null, deps),
    argumentsCheck: await argumentsCheckOf(config, deps),
    nodes: await nodesOf(config, deps),
    beforeExecute: await hookOf("beforeExecute", config, deps),
    afterExecute: await hookOf("afterExecute", config, deps),
    retryPlan: retryPlan(config.retry),
  };
}

/** The same function for other nodes. */
export function withNodes(compiled: CompiledFunction, nodes: readonly string[]): CompiledFunction {
  const listed = new ListedNodes(functionKeyOf(compiled.config), nodes);
  return { ...compiled, config: Object.freeze({ ...compiled.config, nodes: [...listed.names()] }), nodes: listed };
}

/** @param responseType null for a function that only decides */
async function targetOf(
  field: "mfa" | "permissionCallback",
  mfa: Mfa,
  config: FunConfig,
  timeoutMs: number | null,
  responseType: ResponseType | null,
  deps: FunctionDeps,
): Promise<CallTarget> {
  const { nodes, runOn } = config;
  const isCast = responseType === "none";
  // Only the node itself knows its modules and functions.
  if (nodes !== "local") {
    const { module, function: name } = mfa;
    return { module, moduleName: module, function: name, ofService: false, main: null, isCast, timeoutMs };
  }
  const place = placeOf(mfa, deps);
  const main = runOn === "main" ? await deps.mainFunctions.load(place) : null;
  const kind = main === null ? await deps.verifyOnWorker(place, responseType ?? "sync") : kindOfFunction(main.run);
  refuseKind(field, mfa, kind, responseType, config);
  return { ...place, main, isCast, timeoutMs };
}

/** @throws as {@link targetOf}, also where the function's module has no schema for it */
async function argumentsCheckOf(config: FunConfig, deps: FunctionDeps): Promise<CallTarget | null> {
  const { argTypes, nodes, mfa, hookTimeout, runOn, responseType } = config;
  if (argTypes !== "schema" || nodes !== "local") return null;
  const place = { ...placeOf(mfa, deps), function: checkName(mfa.function) };
  const main = runOn === "main" ? await deps.mainFunctions.load(place) : null;
  if (main === null) await deps.verifyOnWorker(place, "sync");
  if (responseType === "sync") return null;
  return { ...place, main, isCast: false, timeoutMs: hookTimeout };
}

async function nodesOf(config: FunConfig, deps: FunctionDeps): Promise<FunctionNodes | null> {
  const { nodes } = config;
  if (nodes === "local") return null;
  const functionKey = functionKeyOf(config);
  if (!("module" in nodes)) return new ListedNodes(functionKey, nodes);
  const resolver = await loadHook("nodes", nodes, config, deps);
  return new ResolvedNodes(functionKey, resolver, config, deps.gateway, deps.clock);
}

async function hookOf(
  field: "beforeExecute" | "afterExecute",
  config: FunConfig,
  deps: FunctionDeps,
): Promise<Hook | null> {
  const mfa = config[field];
  return mfa === null ? null : loadHook(field, mfa, config, deps);
}

/** Loads a function that runs on the gateway's own thread. */
async function loadHook(field: string, mfa: Mfa, config: FunConfig, deps: FunctionDeps): Promise<Hook> {
  const loaded = await deps.mainFunctions.load(placeOf(mfa, deps));
  refuseKind(field, mfa, kindOfFunction(loaded.run), null, config);
  return { name: `${mfa.module}.${mfa.function}`, loaded, args: mfa.args, timeoutMs: config.hookTimeout };
}

/** @throws GenApiError `invalid_config` if the function's kind does not fit the field */
function refuseKind(
  field: string,
  mfa: Mfa,
  kind: FunctionKind,
  responseType: ResponseType | null,
  { service, requestType }: FunConfig,
): void {
  const fault = kindFault(kind, responseType);
  if (fault === null) return;
  const named = `${field} (${mfa.module}.${mfa.function}) ${fault}`;
  throw faultsError("invalid_config", `Invalid FunConfig ${service}.${requestType}`, [named]);
}

function placeOf(mfa: Mfa, deps: FunctionDeps): FunctionPlace {
  const place = allowedPlace(mfa, deps);
  if (place !== null) return place;
  // Reported before, together with all other faults: see moduleFaults.
  throw libraryError("invalid_config", `${mfa.module}.${mfa.function} may not run`);
}

/** The faults of fixed arguments that are sent to nodes and cannot be. */
function sentFaults({ nodes, mfa, permissionCallback }: FunConfig): string[] {
  if (nodes === "local") return [];
  const args = { "mfa.args": mfa.args, "permissionCallback.args": permissionCallback?.args ?? [] };
  return Object.entries(args).flatMap(([path, values]) => jsonFault(values, path) ?? []);
}

/** The faults of functions that this gateway would have to run and may not. */
function moduleFaults(config: FunConfig, deps: FunctionDeps): string[] {
  return usesOnGateway(config).flatMap(({ field, called }) => allowlistFault(field, called, deps, "gateway") ?? []);
}
