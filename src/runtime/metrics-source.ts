import type { ConfigEntry, ConfigStore } from "../config/config-store.ts";
import type { Diagnostics } from "../diagnostics/diagnostics.ts";
import type { MetricsSource } from "../metrics/metrics-option.ts";
import type { NodeTable } from "../node/node-table.ts";

/** What a gateway's metrics are read from. @param modules names and URLs: metrics tell the names */
export function metricsSource(
  name: string,
  functions: ConfigStore<ConfigEntry>,
  modules: ReadonlyMap<string, string>,
  diagnostics: Diagnostics,
  nodes: NodeTable,
): MetricsSource {
  const names = new Map(Array.from(modules, ([module, url]) => [url, module]));
  return {
    name,
    hasFunction: (service, requestType) => functions.has(service, requestType),
    statistics() {
      const statistics = diagnostics.statistics();
      const pools = statistics.pools.map((pool) => {
        const openCircuits = pool.openCircuits.map((open) => ({
          ...open,
          module: names.get(open.module) ?? open.module,
        }));
        return { ...pool, openCircuits };
      });
      return { ...statistics, pools };
    },
    nodes: () => nodes.list(),
  };
}
