import type { CompiledFunction } from "../call/functions/compile-function.ts";
import type { FunctionTable } from "../config/function-table.ts";
import type { NodeStatus } from "../node/node-table.ts";
import type { FailedConfigsSummary } from "../sync/push/failed-configs.ts";
import type { PushedServiceStatus } from "../sync/sets/function-sets.ts";

/** A service on one node. */
export interface ServiceNodeView {
  /** The node's name. */
  readonly node: string;
  /**
   * "down" also if the node is up without this service; "unknown": it never connected to this gateway or has been
   * forgotten, though another gateway may know it.
   */
  readonly state: NodeStatus["state"] | "unknown";
  /** The version of its functions; null if they were pulled without one. */
  readonly configVersion: string | null;
  /** How many functions of the service the node has. */
  readonly functions: number;
}

/** A service as its gateway sees it. */
export interface ServiceView {
  /** Its name. */
  readonly service: string;
  /** Registered functions; each version counts. */
  readonly functions: number;
  /** Functions that this gateway runs itself. */
  readonly localFunctions: number;
  /** The nodes that pushed the service. */
  readonly nodes: readonly ServiceNodeView[];
  /** Whether one of these nodes can be called; null if no node pushed the service. */
  readonly hasLiveNodes: boolean | null;
}

/** A gateway, its nodes and their services. */
export interface ClusterView {
  /** The gateway's name. */
  readonly gateway: string;
  /** Why it currently cannot reach nodes and other gateways, so that `nodes` may be outdated; null while it can. */
  readonly cutOffBecause: string | null;
  /** The nodes it knows. */
  readonly nodes: readonly NodeStatus[];
  /** The services that are registered or were pushed. */
  readonly services: readonly ServiceView[];
  /** Expected services without functions, or without nodes for longer than `nodeGraceMs`. */
  readonly missingServices: readonly string[];
  /** Refused FunConfigs of nodes. */
  readonly failedConfigs: FailedConfigsSummary;
}

/** The services of a gateway: registered and pushed ones. */
export function servicesOf(
  functionTable: FunctionTable<CompiledFunction>,
  pushed: readonly PushedServiceStatus[],
  nodes: readonly NodeStatus[],
): ServiceView[] {
  const pushes = pushedBy(pushed, nodes);
  const names = new Set([...functionTable.services(), ...pushes.keys()]);
  return Array.from(names, (service) => {
    let count = 0;
    let localFunctions = 0;
    for (const { config } of functionTable.entries([service])) {
      count++;
      if (config.nodes === "local") localFunctions++;
    }
    return { service, functions: count, localFunctions, ...(pushes.get(service) ?? notPushed) };
  });
}

type Pushes = Pick<ServiceView, "nodes" | "hasLiveNodes">;

const notPushed: Pushes = { nodes: [], hasLiveNodes: null };

/** The nodes that pushed each service; services that no node pushed are left out. */
export function pushedBy(
  pushed: readonly PushedServiceStatus[],
  nodes: readonly NodeStatus[],
): ReadonlyMap<string, Pushes> {
  const known = new Map(nodes.map((status) => [status.node, status]));
  const byService = new Map<string, ServiceNodeView[]>();
  for (const { service, node, configVersion, count } of pushed) {
    if (node === null) continue;
    const view = { node, state: stateOf(known.get(node), service), configVersion, functions: count };
    byService.set(service, [...(byService.get(service) ?? []), view]);
  }
  return new Map(
    Array.from(byService, ([service, views]) => [
      service,
      { nodes: views, hasLiveNodes: views.some(({ state }) => state === "up") },
    ]),
  );
}

function stateOf(node: NodeStatus | undefined, service: string): ServiceNodeView["state"] {
  if (node === undefined) return "unknown";
  return node.services.includes(service) ? node.state : "down";
}
