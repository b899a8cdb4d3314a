import type { ConfigEntry, FunctionTable } from "../../config/function-table.ts";
import type { Diagnostics } from "../../diagnostics/diagnostics.ts";
import type { MetricsSource } from "../../metrics/metrics-option.ts";
import type { Cluster } from "./cluster.ts";

/** The source of a gateway's metrics. */
export function metricsSource(
  name: string,
  functionTable: FunctionTable<ConfigEntry>,
  diagnostics: Diagnostics,
  { table, reach }: Pick<Cluster, "table" | "reach">,
): MetricsSource {
  return {
    name,
    hasFunction: (service, requestType) => functionTable.has(service, requestType),
    statistics: () => diagnostics.statistics(),
    isCutOff: () => reach.isCutOff,
    nodes: () => table.list(),
  };
}
