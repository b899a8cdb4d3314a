import { type ChildSpec, childSpec } from "../actor/child-spec.ts";
import { fromDynamicSupervisor } from "../actor/dynamic-supervisor.ts";
import { configCache, type FunctionName } from "../config/config-cache.actor.ts";
import type { ConfigEntry, ConfigStore } from "../config/config-store.ts";
import { nodeSelector } from "../policy/node-selector.actor.ts";
import type { NodeSelector } from "../policy/node-selector.ts";
import { rateLimiter } from "../policy/rate-limiter.actor.ts";
import type { RateLimiter } from "../policy/rate-limiter.ts";
import type { RateLimiterOptions } from "../policy/rate-limiter-options.ts";

/** The names under which the tree's actors are registered; look them up at each use, a restart changes the actor. */
export const names = {
  rateLimiter: "rate_limiter",
  nodeSelector: "node_selector",
  configCache: "config_cache",
  streams: "streams",
  connections: "connections",
  admin: "admin",
  listener: "listener",
} as const;

/** What the tree is made of. */
export interface TreeParts {
  readonly gateway: string;
  readonly limiter: RateLimiter;
  readonly limiterOptions: RateLimiterOptions;
  readonly functions: ConfigStore<ConfigEntry>;
  readonly nodeSelector: NodeSelector;
  /** A function is no longer registered. */
  readonly deleted: (name: FunctionName) => void;
  readonly workerPools: ChildSpec;
  /** What lets service nodes in, where some can come. */
  readonly cluster: readonly ChildSpec[];
}

/**
 * The gateway's supervision tree on one screen: started in this order, stopped in reverse. The listener is added when
 * the functions are registered, so that no client meets half a gateway; it is the last to start and the first to stop.
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
  functions,
  nodeSelector: selector,
  deleted,
  workerPools,
  cluster,
}: TreeParts): ChildSpec[] {
  return [
    childSpec({
      id: names.rateLimiter,
      name: names.rateLimiter,
      logic: rateLimiter,
      input: { gateway, limiter, options: limiterOptions },
    }),
    childSpec({ id: names.nodeSelector, name: names.nodeSelector, logic: nodeSelector, input: selector }),
    childSpec({
      id: names.configCache,
      name: names.configCache,
      logic: configCache,
      input: { gateway, store: functions, deleted },
    }),
    workerPools,
    ...cluster,
    childSpec({ id: names.streams, name: names.streams, logic: fromDynamicSupervisor() }),
    childSpec({ id: names.connections, name: names.connections, logic: fromDynamicSupervisor() }),
  ];
}

/** Lets operators look in. Before the listener, so that they see the start and the end of that. */
export function adminSpec(logic: ChildSpec["logic"]): ChildSpec {
  return childSpec({ id: names.admin, name: names.admin, logic });
}

/** The tree's last child: lets clients in. */
export function listenerSpec(logic: ChildSpec["logic"]): ChildSpec {
  return childSpec({ id: names.listener, name: names.listener, logic });
}
