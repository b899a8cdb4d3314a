import type { NodeTransport } from "../transport.ts";
import { openGatewayLink } from "./gateway-link.ts";
import {
  gatewayLinkFaults,
  type LinkOptions,
  nodeLinkFaults,
  resolveGatewayLink,
  resolveNodeLink,
} from "./link-options.ts";
import { openNodeLink } from "./node-link.ts";

export type { NodeTransport } from "../transport.ts";
export type {
  GatewayLinkOptions,
  LinkListenOptions,
  LinkOptions,
  NodeLinkOptions,
  NodeTlsOptions,
} from "./link-options.ts";

/**
 * Direct links between gateways and service nodes, WebSockets that the nodes open: no broker is needed.
 *
 * A gateway takes them where its clients connect, under the path `/node`, or on a port of its own (`listen`). A node
 * keeps one to each of its `gateways`. On one machine they need nothing else; between machines a `pushToken`, and TLS
 * (`wss://`) or an explicit `insecure: true`.
 *
 * ```ts
 * await startGenApi({ cluster: link({ path: "/node" }), … });
 * await startServiceNode({ cluster: link({ gateways: ["ws://127.0.0.1:4000/node"] }), … });
 * ```
 *
 * Wrong options are told, by path, by what it is given to.
 */
export function link(options: LinkOptions = {}): NodeTransport {
  /** Where a gateway, by name, listened: opened again it must be found where it was. */
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
