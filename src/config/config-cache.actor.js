import { fromGenServer } from "../actor/gen-server.js";
import { telemetryEvent } from "../telemetry/telemetry.js";
const added = telemetryEvent("config.add");
const batchAdded = telemetryEvent("config.batch_add");
const deleted = telemetryEvent("config.delete");
const cleared = telemetryEvent("config.clear");
const enabled = telemetryEvent("config.enable");
const disabled = telemetryEvent("config.disable");
/** The name under which the table of functions is owned: see `claimTable`. */
export const configTable = "config_cache";
/**
 * Owns the table of registered functions. Everybody reads the table directly; all changes come through here, one after
 * another. The table outlives a crash of this actor.
 */
export const configCache = fromGenServer({
    init: ({ gateway, store }, server) => ({ gateway, store: server.table(configTable, () => store) }),
    handleCall: {
        add({ gateway, store }, entry, _from, { clock }) {
            store.put(entry);
            if (added.active)
                added.emit({ system_time: clock.systemTime() }, { gateway, ...nameOf(entry.config) });
        },
        batchAdd({ gateway, store }, entries) {
            for (const entry of entries)
                store.put(entry);
            batchAdded.emit({ count: entries.length }, { gateway });
        },
        delete({ gateway, store }, name, _from, { clock }) {
            const existed = store.delete(name.service, name.requestType, name.version);
            if (existed)
                deleted.emit({ system_time: clock.systemTime() }, { gateway, ...nameOf(name) });
            return existed;
        },
        clear({ gateway, store }) {
            const { count } = store;
            store.clear();
            cleared.emit({ count }, { gateway });
        },
        setDisabled({ gateway, store }, name, _from, { clock }) {
            const changed = store.setDisabled(name.service, name.requestType, name.version, name.disabled);
            if (changed === undefined)
                return false;
            const event = name.disabled ? disabled : enabled;
            event.emit({ system_time: clock.systemTime() }, { gateway, ...nameOf(name) });
            return true;
        },
    },
});
function nameOf({ service, requestType, version }) {
    return { service, request_type: requestType, version };
}
