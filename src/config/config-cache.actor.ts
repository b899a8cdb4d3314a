import type { From } from "../actor/call.ts";
import { fromGenServer, type GenServerRefFrom } from "../actor/gen-server.ts";
import type { Clock } from "../core/clock.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { type ConfigEntry, type ConfigStore, isOfHost } from "./config-store.ts";
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

/** Functions of nodes that came, changed or went. */
export interface Reconciliation {
  readonly put: readonly ConfigEntry[];
  readonly remove: readonly FunctionName[];
}

interface State {
  readonly gateway: string;
  readonly store: ConfigStore<ConfigEntry>;
  /** A function is no longer registered: what is remembered of it elsewhere can be forgotten. */
  readonly deleted?: (name: FunctionName) => void;
}

/** The name under which the table of functions is owned: see `claimTable`. */
const configTable = "config_cache";

/**
 * Owns the table of registered functions. Everybody reads the table directly; all changes come through here, one after
 * another. The table outlives a crash of this actor.
 */
export const configCache = fromGenServer({
  init: (input: State, server): State => ({ ...input, store: server.table(configTable, () => input.store) }),

  handleCall: {
    add({ gateway, store }: State, entry: ConfigEntry, _from: From<void>, { clock }) {
      store.put(entry);
      if (added.active) added.emit({ system_time: clock.systemTime() }, { gateway, ...nameOf(entry.config) });
    },

    batchAdd({ gateway, store }: State, entries: readonly ConfigEntry[]) {
      for (const entry of entries) store.put(entry);
      batchAdded.emit({ count: entries.length }, { gateway });
    },

    delete(state: State, name: FunctionName, _from: From<boolean>, { clock }): boolean {
      return remove(state, name, clock);
    },

    /** For functions of nodes. What the host has registered meanwhile stays as it is. */
    reconcile(state: State, { put, remove: removed }: Reconciliation, _from: From<void>, { clock }) {
      const { gateway, store } = state;
      let count = 0;
      for (const entry of put) {
        if (isHostsName(store, entry.config)) continue;
        store.put(entry);
        count += 1;
      }
      if (count > 0) batchAdded.emit({ count }, { gateway });
      for (const name of removed) {
        if (!isHostsName(store, name)) remove(state, name, clock);
      }
    },

    clear({ gateway, store, deleted: forget }: State) {
      const { count } = store;
      const names = forget === undefined ? [] : Array.from(store.entries(), ({ config }) => config);
      store.clear();
      for (const name of names) forget?.(name);
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

  formatStatus: ({ store }) => ({ functions: store.count }),
});

/** A running config cache. */
export type ConfigCacheRef = GenServerRefFrom<typeof configCache>;

function isHostsName(store: ConfigStore<ConfigEntry>, { service, requestType, version }: FunctionName): boolean {
  const entry = store.find(service, requestType, version);
  return entry !== undefined && isOfHost(entry);
}

function remove({ gateway, store, deleted: forget }: State, name: FunctionName, clock: Clock): boolean {
  const existed = store.delete(name.service, name.requestType, name.version);
  if (!existed) return false;
  forget?.(name);
  if (deleted.active) deleted.emit({ system_time: clock.systemTime() }, { gateway, ...nameOf(name) });
  return true;
}

function nameOf({ service, requestType, version }: FunctionName | FunConfig) {
  return { service, request_type: requestType, version };
}
