import type { ConfigEntry, ConfigStore, Origin } from "../config/config-store.ts";
import type { FailedConfigs, FailedConfigsSummary } from "../config/failed-configs.ts";

/** What a gateway's table of functions holds. */
export interface CacheStatus {
  /** Versions are counted one by one. */
  readonly count: number;
  /** How many of them refuse their calls. */
  readonly disabled: number;
  /** How many are of each service. */
  readonly services: Readonly<Record<string, number>>;
  /** By who registered them. */
  readonly origins: Readonly<Record<Origin, number>>;
  /** FunConfigs of nodes that were refused. */
  readonly failedConfigs: FailedConfigsSummary;
}

/** Counts the functions of a gateway. */
export function cacheStatus(functions: ConfigStore<ConfigEntry>, failedConfigs: FailedConfigs): CacheStatus {
  const services = new Map<string, number>();
  const origins = { host: 0, pushed: 0, pulled: 0 };
  let disabled = 0;
  for (const { config, origin = "host" } of functions.entries()) {
    services.set(config.service, (services.get(config.service) ?? 0) + 1);
    origins[origin]++;
    if (config.disabled) disabled++;
  }
  return {
    count: functions.count,
    disabled,
    services: Object.fromEntries(services),
    origins,
    failedConfigs: failedConfigs.summary(),
  };
}
