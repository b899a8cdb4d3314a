import { type ChildSpec, childSpec } from "../actor/child-spec.ts";
import { fromDynamicSupervisor } from "../actor/dynamic-supervisor.ts";
import { fromSupervisor } from "../actor/supervisor.ts";
import { configCache } from "../config/config-cache.actor.ts";
import type { ConfigEntry, ConfigStore } from "../config/config-store.ts";
import { rateLimiter } from "../policy/rate-limiter.actor.ts";
import type { RateLimiter } from "../policy/rate-limiter.ts";
import type { RateLimiterOptions } from "../policy/rate-limiter-options.ts";

/** The names under which the tree's actors are registered; look them up at each use, a restart changes the actor. */
export const names = {
  rateLimiter: "rate_limiter",
  configCache: "config_cache",
  workerPools: "worker_pools",
  asyncPool: "async_pool",
  streamPool: "stream_pool",
  streams: "streams",
  connections: "connections",
  listener: "listener",
} as const;

/** What the tree is made of. */
export interface TreeParts {
  readonly gateway: string;
  readonly limiter: RateLimiter;
  readonly limiterOptions: RateLimiterOptions;
  readonly functions: ConfigStore<ConfigEntry>;
  readonly asyncPool: ChildSpec["logic"];
  readonly streamPool: ChildSpec["logic"];
}

/**
 * The gateway's supervision tree on one screen: started in this order, stopped in reverse. The listener is added when
 * the functions are registered, so that no client meets half a gateway; it is the last to start and the first to stop.
 *
 * ```
 * gen_api (one_for_one)
 * ├── rate_limiter
 * ├── config_cache
 * ├── worker_pools (one_for_one)
 * │   ├── async_pool
 * │   └── stream_pool
 * ├── streams (dynamic): one StreamCall per stream, temporary
 * ├── connections (dynamic): one connection per socket, temporary → its channels
 * └── listener
 * ```
 */
export function gatewayTree({
  gateway,
  limiter,
  limiterOptions,
  functions,
  asyncPool,
  streamPool,
}: TreeParts): ChildSpec[] {
  return [
    childSpec({
      id: names.rateLimiter,
      name: names.rateLimiter,
      logic: rateLimiter,
      input: { gateway, limiter, options: limiterOptions },
    }),
    childSpec({
      id: names.configCache,
      name: names.configCache,
      logic: configCache,
      input: { gateway, store: functions },
    }),
    childSpec({
      id: names.workerPools,
      name: names.workerPools,
      logic: fromSupervisor({
        children: [
          childSpec({ id: names.asyncPool, name: names.asyncPool, logic: asyncPool }),
          childSpec({ id: names.streamPool, name: names.streamPool, logic: streamPool }),
        ],
      }),
    }),
    childSpec({ id: names.streams, name: names.streams, logic: fromDynamicSupervisor() }),
    childSpec({ id: names.connections, name: names.connections, logic: fromDynamicSupervisor() }),
  ];
}

/** The tree's last child: lets clients in. */
export function listenerSpec(logic: ChildSpec["logic"]): ChildSpec {
  return childSpec({ id: names.listener, name: names.listener, logic });
}
