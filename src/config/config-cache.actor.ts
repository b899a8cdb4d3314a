import type { From } from "../actor/call.ts";
import { fromGenServer, type GenServerRefFrom } from "../actor/gen-server.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { ConfigEntry, ConfigStore } from "./config-store.ts";
import type { FunConfig } from "./fun-config.ts";

const added = telemetryEvent("config.add");
const batchAdded = telemetryEvent("config.batch_add");
const deleted = telemetryEvent("config.delete");
const cleared = telemetryEvent("config.clear");
const enabled = telemetryEvent("config.enable");
const disabled = telemetryEvent("config.disable");

/** Names one version of a function. */
export interface FunctionName {
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
}

interface State {
  readonly gateway: string;
  readonly store: ConfigStore<ConfigEntry>;
}

/** The name under which the table of functions is owned: see `claimTable`. */
const configTable = "config_cache";

/**
 * Owns the table of registered functions. Everybody reads the table directly; all changes come through here, one after
 * another. The table outlives a crash of this actor.
 */
export const configCache = fromGenServer({
  init: ({ gateway, store }: State, server): State => ({ gateway, store: server.table(configTable, () => store) }),

  handleCall: {
    add({ gateway, store }: State, entry: ConfigEntry, _from: From<void>, { clock }) {
      store.put(entry);
      if (added.active) added.emit({ system_time: clock.systemTime() }, { gateway, ...nameOf(entry.config) });
    },

    batchAdd({ gateway, store }: State, entries: readonly ConfigEntry[]) {
      for (const entry of entries) store.put(entry);
      batchAdded.emit({ count: entries.length }, { gateway });
    },

    delete({ gateway, store }: State, name: FunctionName, _from: From<boolean>, { clock }): boolean {
      const existed = store.delete(name.service, name.requestType, name.version);
      if (existed) deleted.emit({ system_time: clock.systemTime() }, { gateway, ...nameOf(name) });
      return existed;
    },

    clear({ gateway, store }: State) {
      const { count } = store;
      store.clear();
      cleared.emit({ count }, { gateway });
    },

    setDisabled(
      { gateway, store }: State,
      name: FunctionName & { disabled: boolean },
      _from: From<boolean>,
      { clock },
    ): boolean {
      const changed = store.setDisabled(name.service, name.requestType, name.version, name.disabled);
      if (changed === undefined) return false;
      const event = name.disabled ? disabled : enabled;
      event.emit({ system_time: clock.systemTime() }, { gateway, ...nameOf(name) });
      return true;
    },
  },
});

/** A running config cache. */
export type ConfigCacheRef = GenServerRefFrom<typeof configCache>;

function nameOf({ service, requestType, version }: FunctionName | FunConfig) {
  return { service, request_type: requestType, version };
}
