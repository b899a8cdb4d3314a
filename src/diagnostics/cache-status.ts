import type { ConfigEntry, FunctionTable, RegisteredBy } from "../config/function-table.ts";
import type { FailedConfigs, FailedConfigsSummary } from "../sync/push/failed-configs.ts";

/** The contents of a gateway's table of functions. */
export interface CacheStatus {
  /** All functions; each version counts. */
  readonly count: number;
  /** Functions that refuse their calls. */
  readonly disabled: number;
  /** Functions by service. */
  readonly services: Readonly<Record<string, number>>;
  /** Functions by who registered them. */
  readonly origins: Readonly<Record<RegisteredBy, number>>;
  /** Refused FunConfigs of nodes. */
  readonly failedConfigs: FailedConfigsSummary;
}

/** Counts the functions of a gateway. */
export function cacheStatus(functionTable: FunctionTable<ConfigEntry>, failedConfigs: FailedConfigs): CacheStatus {
  const services = new Map<string, number>();
  const origins = { host: 0, pushed: 0, pulled: 0 };
  let disabled = 0;
  for (const { config, origin = "host" } of functionTable.entries()) {
    services.set(config.service, (services.get(config.service) ?? 0) + 1);
    origins[origin]++;
    if (config.disabled) disabled++;
  }
  return {
    count: functionTable.count,
    disabled,
    services: Object.fromEntries(services),
    origins,
    failedConfigs: failedConfigs.summary(),
  };
}
