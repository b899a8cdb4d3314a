import { type ConfigStore, type Missing, namesNone } from "../config/config-store.ts";
import type { CompiledFunction } from "./compile-function.ts";
import { ListedNodes } from "./function-nodes.ts";
import type { ConnectedNodes } from "./route.ts";

/** Where functions are found. */
export interface FunctionPlaces {
  readonly functions: ConfigStore<CompiledFunction>;
  readonly nodes: Pick<ConnectedNodes, "live">;
}

/**
 * The function that a request names. One that names no version gets the latest that is served: while none of the latest
 * one's nodes lives, because its deployment was taken back or they crashed, an earlier version whose nodes do.
 */
export function findFunction(
  { functions, nodes }: FunctionPlaces,
  service: string,
  requestType: string,
  version: string | null,
): CompiledFunction | Missing {
  const found = functions.resolve(service, requestType, version);
  if (typeof found === "string" || !namesNone(version) || isServed(found, nodes)) return found;
  return functions.latest(service, requestType).find((earlier) => isServed(earlier, nodes)) ?? found;
}

/** Whether a call could run now. What a resolver would say is not known without asking it. */
function isServed({ nodes, config }: CompiledFunction, connected: FunctionPlaces["nodes"]): boolean {
  return !(nodes instanceof ListedNodes) || connected.live(nodes.known, config.service).length > 0;
}
