import type { FunctionPlace } from "../execution/load-function.ts";
import type { FunConfig, Mfa } from "./fun-config.ts";

/** A function that a FunConfig names, as the program that runs it sees it. */
export interface FunctionUse {
  /** The FunConfig's field. */
  readonly field: "mfa" | "argTypes" | "permissionCallback" | "nodes" | "beforeExecute" | "afterExecute";
  readonly called: Mfa;
  readonly runOn: FunConfig["runOn"];
  /** How it answers; null if it only decides. */
  readonly responseType: FunConfig["responseType"] | null;
}

/** A {@link FunctionUse} of a service. */
export interface PlacedUse extends FunctionUse {
  readonly service: string;
  /** Its FunConfig: "service.request_type", and the version, if any. */
  readonly name: string;
  readonly place: FunctionPlace;
}

/** The functions that a gateway itself runs for a FunConfig: all but those of functions that run on nodes. */
export function usesOnGateway(config: FunConfig): FunctionUse[] {
  const { nodes, beforeExecute, afterExecute } = config;
  const isLocal = nodes === "local";
  return [
    ...(!isLocal && "module" in nodes ? [onMain("nodes", nodes)] : []),
    ...(isLocal ? usesOnNode(config) : []),
    ...(beforeExecute === null ? [] : [onMain("beforeExecute", beforeExecute)]),
    ...(afterExecute === null ? [] : [onMain("afterExecute", afterExecute)]),
  ];
}

/** The functions that a service node runs for a FunConfig. */
export function usesOnNode({ mfa, permissionCallback, runOn, responseType }: FunConfig): FunctionUse[] {
  const itself: FunctionUse = { field: "mfa", called: mfa, runOn, responseType };
  if (permissionCallback === null) return [itself];
  return [itself, { field: "permissionCallback", called: permissionCallback, runOn, responseType: null }];
}

/** "service.request_type", and the version, if any. */
export function nameOf({ service, requestType, version }: FunConfig): string {
  return `${service}.${requestType}${version === null ? "" : ` ${version}`}`;
}

function onMain(field: FunctionUse["field"], called: Mfa): FunctionUse {
  return { field, called, runOn: "main", responseType: null };
}
