import type { CompiledFunction } from "../call/compile-function.ts";
import { findFunction } from "../call/find-function.ts";
import { type ConfigStore, namesNone, type Origin } from "../config/config-store.ts";
import type { FunConfig } from "../config/fun-config.ts";
import type { NodeTable } from "../node/node-table.ts";
import type { ScopedRateLimit } from "../policy/rate-limit.ts";
import { counted, limitText, modeText, nameOf, permissionText, placeOf, type StageName, timeText } from "./stages.ts";

/** What is configured for one stage of a function's requests. */
export interface FlowStage {
  /** Which stage. */
  readonly stage: StageName;
  /** For people. */
  readonly summary: string;
  /** For programs. Arguments that a configuration holds are not in it. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A function in a list of all. */
export interface CallFlowSummary {
  /** The function's service. */
  readonly service: string;
  /** Its name in it. */
  readonly requestType: string;
  /** Its version; null: unversioned. */
  readonly version: string | null;
  /** Whether its calls are refused. */
  readonly disabled: boolean;
  /** Who registered it. */
  readonly origin: Origin;
  /** How its requests are answered. */
  readonly responseType: FunConfig["responseType"];
  /** On this gateway's worker threads, on its own thread, or on service nodes. */
  readonly runsOn: "worker" | "main" | "nodes";
}

/** The way of a function's requests, stage by stage. */
export interface CallFlow extends CallFlowSummary {
  /** Every version that is registered, this one included. */
  readonly versions: readonly { readonly version: string | null; readonly disabled: boolean }[];
  /** The stages that its requests go through, in their order. */
  readonly stages: readonly FlowStage[];
}

/** What the ways of requests are told from. */
export interface CallFlowSources {
  readonly functions: ConfigStore<CompiledFunction>;
  readonly nodes: Pick<NodeTable, "live">;
  /** Every limit. */
  limits(): readonly ScopedRateLimit[];
}

/**
 * The way of a function's requests.
 * @param version null: the one that requests without a version get; a disabled one where all are
 */
export function callFlow(
  sources: CallFlowSources,
  service: string,
  requestType: string,
  version: string | null,
): CallFlow | "not_found" {
  const { functions, nodes, limits } = sources;
  const versions = functions.versions(service, requestType);
  const latest = findFunction(sources, service, requestType, null);
  const found = namesNone(version)
    ? typeof latest === "string"
      ? versions[0]
      : latest
    : functions.find(service, requestType, version);
  if (found === undefined) return "not_found";
  const applying = limits().filter(
    ({ scope }) => scope === "global" || (scope.service === service && scope.requestType === requestType),
  );
  return {
    ...summaryOf(found),
    versions: versions.map(({ config }) => ({ version: config.version, disabled: config.disabled })),
    stages: stagesOf(found, applying, (names) => nodes.live(names, service)),
  };
}

/** Every function, or those of one service. */
export function listCallFlows(functions: ConfigStore<CompiledFunction>, service?: string): CallFlowSummary[] {
  return Array.from(functions.entries(service === undefined ? undefined : [service]), summaryOf);
}

function summaryOf({ config, origin = "host" }: CompiledFunction): CallFlowSummary {
  const { service, requestType, version, disabled, responseType, nodes, runOn } = config;
  return {
    service,
    requestType,
    version,
    disabled,
    origin,
    responseType,
    runsOn: nodes === "local" ? runOn : "nodes",
  };
}

function stagesOf(
  compiled: CompiledFunction,
  limits: readonly ScopedRateLimit[],
  live: (names: readonly string[]) => readonly string[],
): FlowStage[] {
  const { config } = compiled;
  const { beforeExecute, permissionCallback, afterExecute, hookTimeout } = config;
  const named = `${config.requestType} ${config.version === null ? "unversioned" : `version ${config.version}`}`;
  return [
    stage("resolve", `${named}${config.disabled ? ", disabled" : ""}`, { disabled: config.disabled }),
    ...(beforeExecute === null
      ? []
      : [stage("before_execute", `${nameOf(beforeExecute)} may change or refuse it`, { hookTimeout })]),
    ...(permissionCallback === null
      ? [stage("permission", permissionText(config.checkPermission), { checkPermission: config.checkPermission })]
      : []),
    stage("rate_limits", limits.length === 0 ? "none" : limits.map(limitText).join("; "), { limits }),
    nodesStage(compiled, live),
    ...(permissionCallback === null
      ? []
      : [stage("permission_callback", `${nameOf(permissionCallback)} decides`, { hookTimeout })]),
    argumentsStage(config),
    executionStage(config),
    ...(afterExecute === null
      ? []
      : [stage("after_execute", `${nameOf(afterExecute)} may replace the Response`, { hookTimeout })]),
  ];
}

function nodesStage(compiled: CompiledFunction, live: (names: readonly string[]) => readonly string[]): FlowStage {
  const { config, nodes } = compiled;
  if (nodes === null) return stage("nodes", `here, on ${placeOf(compiled)}`, { runOn: config.runOn });
  const { chooseNodeMode, nodes: listed, nodesTtlMs } = config;
  const known = nodes.known;
  const liveNodes = known === null ? null : live(known);
  const details = { chooseNodeMode, nodes: known, live: liveNodes };
  const mode = modeText(chooseNodeMode);
  const isResolved = typeof listed === "object" && "module" in listed;
  if (known === null || liveNodes === null) {
    const resolver = isResolved ? nameOf(listed) : "a resolver";
    return stage("nodes", `${mode}, of those that ${resolver} names`, { ...details, nodesTtlMs });
  }
  return stage("nodes", `${mode}, of ${counted(known.length, "node")}, ${liveNodes.length} live`, details);
}

function argumentsStage({ argTypes, argOrders, mfa }: FunConfig): FlowStage {
  const first = mfa.args.length === 0 ? "" : `after ${counted(mfa.args.length, "argument")} of the FunConfig's; `;
  if (argTypes === null) return stage("arguments", `${first}none: what is sent is ignored`, { types: null, argOrders });
  const types = Object.entries(argTypes).map(
    ([name, type]) => [name, typeof type === "string" ? type : type.type] as const,
  );
  const summary = types.length === 0 ? "none may be sent" : types.map(([name, type]) => `${name}: ${type}`).join(", ");
  return stage("arguments", `${first}${summary}`, { types: Object.fromEntries(types), argOrders });
}

function executionStage({ mfa, timeout, retry, responseType, requestInfo }: FunConfig): FlowStage {
  const time = timeout === "infinity" ? "without a time limit" : `at most ${timeText(timeout)}`;
  const retries = retry === null || retry === 0 ? "" : `, retry ${retryText(retry)}`;
  const info = requestInfo ? ", with requestInfo" : "";
  return stage("execution", `${responseType} ${nameOf(mfa)}, ${time}${retries}${info}`, {
    responseType,
    mfa: { module: mfa.module, function: mfa.function, arguments: mfa.args.length },
    timeout,
    retry,
    requestInfo,
  });
}

function retryText(retry: Exclude<FunConfig["retry"], null>): string {
  if (typeof retry === "number") return `${retry}, on any node`;
  return "sameNode" in retry ? `${retry.sameNode}, on the same node` : `${retry.allNodes}, on any node`;
}

function stage(name: StageName, summary: string, details: FlowStage["details"]): FlowStage {
  return { stage: name, summary, details };
}
