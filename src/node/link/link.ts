import type { NodeTransport } from "../node-transport.ts";
import { openGatewayLink } from "./gateway-link.ts";
import {
  gatewayLinkFaults,
  type LinkOptions,
  nodeLinkFaults,
  resolveGatewayLink,
  resolveNodeLink,
} from "./link-options.ts";
import { openNodeLink } from "./node-link.ts";

export type { NodeTransport } from "../node-transport.ts";
export type {
  GatewayLinkOptions,
  LinkListenOptions,
  LinkOptions,
  NodeLinkOptions,
  NodeTlsOptions,
} from "./link-options.ts";

/**
 * Direct links between gateways and service nodes: WebSockets that the nodes open, without a broker.
 *
 * A gateway accepts them where its clients connect, under the path `/node`, or on a port of its own (`listen`). A node
 * keeps one link to each of its `gateways`. On one machine this is all; between machines both need a `pushToken`, and
 * TLS (`wss://`) or an explicit `insecure: true`.
 *
 * ```ts
 * await startGenApi({ cluster: link({ path: "/node" }), … });
 * await startServiceNode({ cluster: link({ gateways: ["ws://127.0.0.1:4000/node"] }), … });
 * ```
 *
 * `startGenApi` and `startServiceNode` report wrong options, by path.
 */
export function link(options: LinkOptions = {}): NodeTransport {
  /** The port of each gateway, by name: when reopened, a gateway must be found at the same place. */
  const ports = new Map<string, number>();
  return {
    name: "link",
    gatewayFaults: (role) => gatewayLinkFaults(options, role),
    nodeFaults: (role) => nodeLinkFaults(options, role),
    openGateway(scope) {
      const endpoint = openGatewayLink(resolveGatewayLink(options), scope, ports.get(scope.name));
      endpoint.ready?.then(
        () => endpoint.address && ports.set(scope.name, endpoint.address.port),
        () => undefined,
      );
      return endpoint;
    },
    openNode: (scope) => openNodeLink(resolveNodeLink(options), scope),
  };
}
