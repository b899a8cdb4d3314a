import { fromGenServer, type GenServerRefFrom } from "../actor/gen-server/gen-server.ts";
import type { From } from "../actor/gen-server/gen-server-ref.ts";
import type { FunctionName } from "../core/function-name.ts";
import type { Clock } from "../core/time/clock.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { FunConfig } from "./fun-config.ts";
import { type ConfigEntry, type FunctionTable, isOfHost } from "./function-table.ts";

const added = telemetryEvent("config.add");
const batchAdded = telemetryEvent("config.batch_add");
const deleted = telemetryEvent("config.delete");
const cleared = telemetryEvent("config.clear");
const enabled = telemetryEvent("config.enable");
const disabled = telemetryEvent("config.disable");

/** Functions of nodes that came, changed or went. */
export interface Reconciliation {
  readonly put: readonly ConfigEntry[];
  readonly remove: readonly FunctionName[];
}

interface State {
  readonly gateway: string;
  readonly functionTable: FunctionTable<ConfigEntry>;
  /** Called when a function is no longer registered, so that other tables can forget it. */
  readonly deleted?: (name: FunctionName) => void;
}

/** The name of the table of functions: see `claimTable`. */
const tableName = "config_cache";

/**
 * Owns the table of registered functions. Readers read the table directly; all changes come through here, one after
 * another. The table outlives a crash of this actor.
 */
export const functionTableActor = fromGenServer({
  init: (input: State, server): State => ({
    ...input,
    functionTable: server.table(tableName, () => input.functionTable),
  }),

  handleCall: {
    add({ gateway, functionTable }: State, entry: ConfigEntry, _from: From<void>, { clock }) {
      functionTable.put(entry);
      if (added.active) added.emit({ system_time: clock.systemTime() }, { gateway, ...telemetryNameOf(entry.config) });
    },

    batchAdd({ gateway, functionTable }: State, entries: readonly ConfigEntry[]) {
      for (const entry of entries) functionTable.put(entry);
      batchAdded.emit({ count: entries.length }, { gateway });
    },

    delete(state: State, name: FunctionName, _from: From<boolean>, { clock }): boolean {
      return remove(state, name, clock);
    },

    /** For functions of nodes. Functions that the host has registered meanwhile stay unchanged. */
    reconcile(state: State, { put, remove: removed }: Reconciliation, _from: From<void>, { clock }) {
      const { gateway, functionTable } = state;
      let count = 0;
      for (const entry of put) {
        if (isHostsName(functionTable, entry.config)) continue;
        functionTable.put(entry);
        count += 1;
      }
      if (count > 0) batchAdded.emit({ count }, { gateway });
      for (const name of removed) {
        if (!isHostsName(functionTable, name)) remove(state, name, clock);
      }
    },

    clear({ gateway, functionTable, deleted: forget }: State) {
      const { count } = functionTable;
      const names = forget === undefined ? [] : Array.from(functionTable.entries(), ({ config }) => config);
      functionTable.clear();
      for (const name of names) forget?.(name);
      cleared.emit({ count }, { gateway });
    },

    setDisabled(
      { gateway, functionTable }: State,
      name: FunctionName & { disabled: boolean },
      _from: From<boolean>,
      { clock },
    ): boolean {
      const changed = functionTable.setDisabled(name.service, name.requestType, name.version, name.disabled);
      if (changed === undefined) return false;
      const event = name.disabled ? disabled : enabled;
      event.emit({ system_time: clock.systemTime() }, { gateway, ...telemetryNameOf(name) });
      return true;
    },
  },

  formatStatus: ({ functionTable }) => ({ functions: functionTable.count }),
});

/** A running owner of the table. */
export type FunctionTableRef = GenServerRefFrom<typeof functionTableActor>;

function isHostsName(
  functionTable: FunctionTable<ConfigEntry>,
  { service, requestType, version }: FunctionName,
): boolean {
  const entry = functionTable.find(service, requestType, version);
  return entry !== undefined && isOfHost(entry);
}

function remove({ gateway, functionTable, deleted: forget }: State, name: FunctionName, clock: Clock): boolean {
  const existed = functionTable.delete(name.service, name.requestType, name.version);
  if (!existed) return false;
  forget?.(name);
  if (deleted.active) deleted.emit({ system_time: clock.systemTime() }, { gateway, ...telemetryNameOf(name) });
  return true;
}

function telemetryNameOf({ service, requestType, version }: FunctionName | FunConfig) {
  return { service, request_type: requestType, version };
}
