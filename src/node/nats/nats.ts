import type { NodeTransport } from "../node-transport.ts";
import { NatsGateway } from "./nats-gateway.ts";
import { NatsNode } from "./nats-node.ts";
import { beyondLoopback, checkNatsOptions, type NatsOptions, natsSettings } from "./nats-options.ts";
import { missingNatsPackages, neededPackages } from "./nats-packages.ts";

export type { NatsOptions } from "./nats-options.ts";
export { gatewayPermissions, type NatsPermissions, nodePermissions } from "./subjects.ts";

/**
 * Connects gateways and service nodes over NATS: the value of the option `cluster` of both, for several gateways and
 * many nodes. Nodes find every gateway with their prefix by themselves. Gateways keep accepted pushes in a JetStream
 * key-value bucket, for each other and for their own next start.
 *
 * NATS may be down when a gateway or a node starts, and may go and come back: both reconnect with backoff. {@link
 * gatewayPermissions} and {@link nodePermissions} return the permissions that each role needs on the server.
 *
 * Needs the packages `@nats-io/transport-node`, `@nats-io/jetstream` and `@nats-io/kv`, and a server of version 2.9 or
 * later. `startGenApi` and `startServiceNode` report wrong options.
 */
export function nats(options: NatsOptions = {}): NodeTransport {
  return {
    name: "nats",
    hasPeers: true,
    gatewayFaults({ hasToken }) {
      const key =
        options.signingKey === undefined
          ? ["cluster.signingKey is required: gateways sign with it what they share, at least 32 characters"]
          : [];
      return [...commonFaults(options, hasToken), ...key];
    },
    nodeFaults({ hasToken }) {
      const key =
        options.signingKey === undefined
          ? []
          : ["cluster.signingKey is the gateways' secret: a service node must not have it"];
      return [...commonFaults(options, hasToken), ...key];
    },
    openGateway: (scope) => new NatsGateway(natsSettings(options), scope),
    openNode: (scope) => new NatsNode(natsSettings(options), scope),
  };
}

function commonFaults(options: NatsOptions, hasToken: boolean): string[] {
  const packages = missingNatsPackages().length === 0 ? [] : [`cluster ${neededPackages}`];
  const faults = checkNatsOptions(options);
  if (faults.length > 0 || hasToken) return [...packages, ...faults];
  const beyond = beyondLoopback(natsSettings(options).servers);
  if (beyond.length === 0) return packages;
  const fault = `cluster.servers are not on this machine (${beyond.join(", ")}): that needs a pushToken`;
  return [...packages, fault];
}
