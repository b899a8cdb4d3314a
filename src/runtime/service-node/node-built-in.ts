import { libraryError } from "../../core/errors.ts";
import type { ServiceFunction } from "../../execution/load-function.ts";
import type { ConfigPusher } from "../../sync/push/config-pusher.ts";

/** A node's answers to gateways that pull: `get_functions(service)` and `config_version(service)`. */
export function builtInFunctions(pushers: readonly ConfigPusher[]): ReadonlyMap<string, ServiceFunction> {
  const pusherOf = (service: unknown): ConfigPusher => {
    const found = pushers.find((pusher) => pusher.service === service);
    if (found !== undefined) return found;
    const known = pushers.map((pusher) => JSON.stringify(pusher.service)).join(", ") || "none";
    throw libraryError("not_found", `This node has the services ${known}, not ${JSON.stringify(service)}`);
  };
  return new Map<string, ServiceFunction>([
    ["get_functions", (service) => pusherOf(service).functions],
    ["config_version", (service) => pusherOf(service).configVersion],
  ]);
}
