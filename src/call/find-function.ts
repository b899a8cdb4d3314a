import { type FunctionTable, type Missing, namesNone } from "../config/function-table.ts";
import type { CompiledFunction } from "./functions/compile-function.ts";
import { ListedNodes } from "./functions/function-nodes.ts";
import type { ConnectedNodes } from "./route.ts";

/** Where functions are found. */
export interface FunctionPlaces {
  readonly functionTable: FunctionTable<CompiledFunction>;
  readonly nodes: Pick<ConnectedNodes, "live">;
}

/**
 * The function that a request names. Without a version, the latest one that is served: if none of the latest version's
 * nodes lives, because its deployment was rolled back or they crashed, an earlier version with a live node.
 */
export function findFunction(
  { functionTable, nodes }: FunctionPlaces,
  service: string,
  requestType: string,
  version: string | null,
): CompiledFunction | Missing {
  const found = functionTable.resolve(service, requestType, version);
  if (typeof found === "string" || !namesNone(version) || isServed(found, nodes)) return found;
  return functionTable.latest(service, requestType).find((earlier) => isServed(earlier, nodes)) ?? found;
}

/** Whether a call could run now. A resolver's answer is unknown without calling it. */
function isServed({ nodes, config }: CompiledFunction, connected: FunctionPlaces["nodes"]): boolean {
  return !(nodes instanceof ListedNodes) || connected.live(nodes.known, config.service).length > 0;
}
