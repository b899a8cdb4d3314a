import { type ChildSpec, childSpec } from "../../actor/supervisor/child-spec.ts";
import { fromDynamicSupervisor } from "../../actor/supervisor/dynamic-supervisor.ts";
import { nodeActors } from "../options/actor-names.ts";

/** The parts of the tree. */
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
    childSpec({ id: nodeActors.gatewaySessions, name: nodeActors.gatewaySessions, logic: fromDynamicSupervisor() }),
  ];
}
