import { type ChildSpec, childSpec } from "../actor/child-spec.ts";
import { fromDynamicSupervisor } from "../actor/dynamic-supervisor.ts";

/** The names under which the actors of a service node's tree are registered. */
export const names = {
  gatewaySessions: "gateway_sessions",
  transport: "node_transport",
} as const;

/** What the tree is made of. */
export interface ServiceNodeTreeParts {
  readonly workerPools: ChildSpec;
}

/**
 * A service node's supervision tree: started in this order, stopped in reverse. The transport is added when the
 * functions were found.
 *
 * ```
 * gen_api_node (one_for_one)
 * ├── worker_pools (one_for_one)
 * │   ├── async_pool
 * │   └── stream_pool
 * ├── gateway_sessions (dynamic): one session per gateway, temporary
 * └── node_transport          keeps a pipe to every gateway
 * ```
 */
export function serviceNodeTree({ workerPools }: ServiceNodeTreeParts): ChildSpec[] {
  return [
    workerPools,
    childSpec({ id: names.gatewaySessions, name: names.gatewaySessions, logic: fromDynamicSupervisor() }),
  ];
}
