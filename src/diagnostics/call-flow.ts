import { findFunction } from "../call/find-function.ts";
import type { CompiledFunction } from "../call/functions/compile-function.ts";
import { afterExecute } from "../call/stages/after-execute.ts";
import { resolve } from "../call/stages/resolve.ts";
import type { FlowDeps } from "../call/stages/stage.ts";
import type { StageName, StageText } from "../call/stages/stage-text.ts";
import { stages } from "../call/stages/stages.ts";
import type { FunConfig } from "../config/fun-config.ts";
import { type FunctionTable, namesNone, type RegisteredBy } from "../config/function-table.ts";
import type { NodeTable } from "../node/node-table.ts";
import type { ScopedRateLimit } from "../policy/rate-limiter/rate-limit.ts";

/** The configuration of one stage of a function's requests. Contains no argument values. */
export interface FlowStage extends StageText {
  /** The stage's name. */
  readonly stage: StageName;
}

/** A function in a list of all. */
export interface CallFlowSummary {
  /** The function's service. */
  readonly service: string;
  /** The function's name in its service. */
  readonly requestType: string;
  /** Its version; null: unversioned. */
  readonly version: string | null;
  /** Whether its calls are refused. */
  readonly disabled: boolean;
  /** Who registered it. */
  readonly origin: RegisteredBy;
  /** How its requests are answered. */
  readonly responseType: FunConfig["responseType"];
  /** On this gateway's worker threads, on its own thread, or on service nodes. */
  readonly runsOn: "worker" | "main" | "nodes";
}

/** The path of a function's requests, stage by stage. */
export interface CallFlow extends CallFlowSummary {
  /** Every registered version, including this one. */
  readonly versions: readonly { readonly version: string | null; readonly disabled: boolean }[];
  /** The stages of its requests, in order. */
  readonly stages: readonly FlowStage[];
}

/** The deps of a call flow. */
export interface CallFlowDeps {
  readonly functionTable: FunctionTable<CompiledFunction>;
  readonly nodes: Pick<NodeTable, "live">;
  /** Every limit. */
  limits(): readonly ScopedRateLimit[];
}

/**
 * The path of a function's requests.
 * @param version null: the version that requests without one get, or a disabled one if all are disabled
 */
export function callFlow(
  deps: CallFlowDeps,
  service: string,
  requestType: string,
  version: string | null,
): CallFlow | "not_found" {
  const { functionTable, nodes, limits } = deps;
  const versions = functionTable.versions(service, requestType);
  const latest = findFunction(deps, service, requestType, null);
  const found = namesNone(version)
    ? typeof latest === "string"
      ? versions[0]
      : latest
    : functionTable.find(service, requestType, version);
  if (found === undefined) return "not_found";
  const applying = limits().filter(
    ({ scope }) => scope === "global" || (scope.service === service && scope.requestType === requestType),
  );
  return {
    ...summaryOf(found),
    versions: versions.map(({ config }) => ({ version: config.version, disabled: config.disabled })),
    stages: stagesOf(found, { limits: applying, live: (names) => nodes.live(names, service) }),
  };
}

/** Every function, or those of one service. */
export function listCallFlows(functions: FunctionTable<CompiledFunction>, service?: string): CallFlowSummary[] {
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

function stagesOf(compiled: CompiledFunction, deps: FlowDeps): FlowStage[] {
  const between = stages.map((stage) => ({ name: stage.name, text: stage.describe(compiled, deps) }));
  const all = [
    { name: resolve.name, text: resolve.describe(compiled) },
    ...between,
    { name: afterExecute.name, text: afterExecute.describe(compiled) },
  ];
  return all.flatMap(({ name, text }) => (text === null ? [] : [{ stage: name, ...text }]));
}
