import { type ChildSpec, childSpec } from "../../actor/supervisor/child-spec.ts";
import { fromDynamicSupervisor } from "../../actor/supervisor/dynamic-supervisor.ts";
import { functionTableActor } from "../../config/function-table.actor.ts";
import type { ConfigEntry, FunctionTable } from "../../config/function-table.ts";
import type { FunctionName } from "../../core/function-name.ts";
import { rateLimiterActor } from "../../policy/rate-limiter/rate-limiter.actor.ts";
import type { RateLimiter } from "../../policy/rate-limiter/rate-limiter.ts";
import type { RateLimiterOptions } from "../../policy/rate-limiter/rate-limiter-options.ts";
import { nodeSelectorActor } from "../../policy/selection/node-selector.actor.ts";
import type { NodeSelector } from "../../policy/selection/node-selector.ts";
import { gatewayActors } from "../options/actor-names.ts";

/** The parts of the tree. */
export interface TreeParts {
  readonly gateway: string;
  readonly limiter: RateLimiter;
  readonly limiterOptions: RateLimiterOptions;
  readonly functionTable: FunctionTable<ConfigEntry>;
  readonly nodeSelector: NodeSelector;
  /** A function is no longer registered. */
  readonly deleted: (name: FunctionName) => void;
  readonly workerPools: ChildSpec;
  /** The part that lets service nodes in, if any can come. */
  readonly cluster: readonly ChildSpec[];
}

/**
 * The gateway's supervision tree on one screen: started in this order, stopped in reverse. The listener is added when
 * the functions are registered, so that no client meets an unfinished gateway; it starts last and stops first.
 *
 * ```
 * gen_api (one_for_one)
 * ├── rate_limiter
 * ├── node_selector
 * ├── config_cache
 * ├── worker_pools (one_for_one)
 * │   ├── async_pool
 * │   └── stream_pool
 * ├── nodes, config_sync      with service nodes: see Cluster
 * ├── streams (dynamic): one StreamCall per stream, temporary
 * ├── connections (dynamic): one connection per socket, temporary → its channels
 * ├── admin                   where the option `admin` is given
 * └── listener
 * ```
 */
export function gatewayTree({
  gateway,
  limiter,
  limiterOptions,
  functionTable,
  nodeSelector,
  deleted,
  workerPools,
  cluster,
}: TreeParts): ChildSpec[] {
  return [
    childSpec({
      id: gatewayActors.rateLimiter,
      name: gatewayActors.rateLimiter,
      logic: rateLimiterActor,
      input: { gateway, limiter, options: limiterOptions },
    }),
    childSpec({
      id: gatewayActors.nodeSelector,
      name: gatewayActors.nodeSelector,
      logic: nodeSelectorActor,
      input: nodeSelector,
    }),
    childSpec({
      id: gatewayActors.configCache,
      name: gatewayActors.configCache,
      logic: functionTableActor,
      input: { gateway, functionTable, deleted },
    }),
    workerPools,
    ...cluster,
    childSpec({ id: gatewayActors.streams, name: gatewayActors.streams, logic: fromDynamicSupervisor() }),
    childSpec({ id: gatewayActors.connections, name: gatewayActors.connections, logic: fromDynamicSupervisor() }),
  ];
}

/** The operators' listener. It comes before the clients' listener, so that operators see that start and end. */
export function adminSpec(logic: ChildSpec["logic"]): ChildSpec {
  return childSpec({ id: gatewayActors.admin, name: gatewayActors.admin, logic });
}

/** The tree's last child: the clients' listener. */
export function listenerSpec(logic: ChildSpec["logic"]): ChildSpec {
  return childSpec({ id: gatewayActors.listener, name: gatewayActors.listener, logic });
}
