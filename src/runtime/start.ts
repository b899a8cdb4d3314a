import type { GenApiOptions } from "./options.ts";
import type { Runtime } from "./runtime.ts";
import type { ServiceNode } from "./service-node.ts";
import type { ServiceNodeOptions } from "./service-node-options.ts";

// Imported when they are called: every worker thread imports this package for `defineService` alone. Without all that a
// gateway is made of it takes a third of the time and 20 MiB less.

/**
 * Starts a gateway. It is ready when the promise resolves: its functions were found and it listens.
 *
 * @throws GenApiError `invalid_option` listing every fault by its path, `invalid_config`, `module_unreadable` or
 * `function_missing` for a function that cannot run, `listen_failed`; nothing is left running then
 */
export async function startGenApi(options: GenApiOptions = {}): Promise<Runtime> {
  const { openGateway } = await import("./gateway.ts");
  return openGateway(options);
}

/**
 * Starts a service node: a program whose functions gateways call. It is ready when the promise resolves: its functions
 * were found. The gateways are reached, again and again, in the background: {@link ServiceNode.connected}.
 *
 * @throws GenApiError `invalid_option` listing every fault by its path, `invalid_config`, `module_unreadable` or
 * `function_missing` for a function that cannot run; nothing is left running then
 */
export async function startServiceNode(options: ServiceNodeOptions): Promise<ServiceNode> {
  const { openServiceNode } = await import("./service-node.ts");
  return openServiceNode(options);
}
