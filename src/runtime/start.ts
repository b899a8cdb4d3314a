import { isOwnThread, neverOnThread } from "../core/own-thread.ts";
import type { Gateway } from "./api/gateway.ts";
import type { GatewayOptions } from "./options/options.ts";
import type { ServiceNodeOptions } from "./options/service-node-options.ts";
import type { ServiceNode } from "./service-node/service-node.ts";

// Imported only when called: every worker thread imports this package just for `defineService`. Without the modules of
// a gateway that takes a third of the time and 20 MiB less.

/**
 * Starts a gateway. It is ready when the promise resolves: it has found its functions and listens. On a thread that
 * runs functions, which may import the file that starts their gateway, this starts nothing and never settles.
 *
 * @throws GenApiError `invalid_option` listing every fault by its path, `invalid_config`, `module_unreadable` or
 * `function_missing` for a function that cannot run, `listen_failed`; nothing is left running then
 */
export async function startGenApi(options: GatewayOptions = {}): Promise<Gateway> {
  if (isOwnThread()) return neverOnThread(startGenApi);
  const { openGateway } = await import("./gateway/gateway.ts");
  return openGateway(options);
}

/**
 * Starts a service node: a program whose functions gateways call. It is ready when the promise resolves: it has found
 * its functions. It connects to gateways, and reconnects, in the background: see {@link ServiceNode.connected}. On a
 * thread that runs functions this starts nothing and never settles.
 *
 * @throws GenApiError `invalid_option` listing every fault by its path, `invalid_config`, `module_unreadable` or
 * `function_missing` for a function that cannot run; nothing is left running then
 */
export async function startServiceNode(options: ServiceNodeOptions): Promise<ServiceNode> {
  if (isOwnThread()) return neverOnThread(startServiceNode);
  const { openServiceNode } = await import("./service-node/service-node.ts");
  return openServiceNode(options);
}
