import type { CompiledFunction } from "../call/compile-function.ts";
import type { ConfigStore } from "../config/config-store.ts";
import type { FailedConfigsSummary } from "../config/failed-configs.ts";
import type { PushedServiceStatus } from "../config/function-sets.ts";
import type { NodeStatus } from "../node/node-table.ts";

/** What one node has of a service. */
export interface ServiceNodeView {
  /** Its name. */
  readonly node: string;
  /**
   * "down" also where it is up without this service; "unknown": it has not been connected to this gateway, or is
   * forgotten, another gateway may know it.
   */
  readonly state: NodeStatus["state"] | "unknown";
  /** The version of its functions; null where they were pulled without one. */
  readonly configVersion: string | null;
  /** How many functions of the service it has. */
  readonly functions: number;
}

/** A service as its gateway sees it. */
export interface ServiceView {
  /** Its name. */
  readonly service: string;
  /** Registered ones, versions counted one by one. */
  readonly functions: number;
  /** Those of them that this gateway runs itself. */
  readonly localFunctions: number;
  /** The nodes that have pushed it. */
  readonly nodes: readonly ServiceNodeView[];
  /** Whether one of these can be called; null where nothing was pushed. */
  readonly hasLiveNodes: boolean | null;
}

/** A gateway, its nodes and their services. */
export interface ClusterView {
  /** The gateway's name. */
  readonly gateway: string;
  /** The nodes that it knows. */
  readonly nodes: readonly NodeStatus[];
  /** The services that are registered, or that nodes have pushed. */
  readonly services: readonly ServiceView[];
  /** Expected ones that have not come yet. */
  readonly missingServices: readonly string[];
  /** FunConfigs of nodes that were refused. */
  readonly failedConfigs: FailedConfigsSummary;
}

/** The services of a gateway: those that are registered, and those that nodes have pushed. */
export function servicesOf(
  functions: ConfigStore<CompiledFunction>,
  pushed: readonly PushedServiceStatus[],
  nodes: readonly NodeStatus[],
): ServiceView[] {
  const pushes = pushedBy(pushed, nodes);
  const names = new Set([...functions.services(), ...pushes.keys()]);
  return Array.from(names, (service) => {
    let count = 0;
    let localFunctions = 0;
    for (const { config } of functions.entries([service])) {
      count++;
      if (config.nodes === "local") localFunctions++;
    }
    return { service, functions: count, localFunctions, ...(pushes.get(service) ?? notPushed) };
  });
}

type Pushes = Pick<ServiceView, "nodes" | "hasLiveNodes">;

const notPushed: Pushes = { nodes: [], hasLiveNodes: null };

/** The nodes that have pushed each service; the others are left out. */
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
