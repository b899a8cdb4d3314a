import { startServiceNode } from "gen-api";
import { expect, test } from "vitest";
import type { Endpoint, NodeTransport, TransportScope } from "../../../src/node/node-transport.ts";
import { createManualPipe } from "../../node/pipes.ts";
import { createGatewayHost } from "../../node/sessions.ts";
import { recordEvents } from "../../support/record-events.ts";
import { settled } from "../../support/simulated-clock.ts";

/** A service node whose pipes move only when the test says so. */
async function open() {
  let scope: TransportScope | undefined;
  const transport: NodeTransport = {
    name: "manual",
    gatewayFaults: () => [],
    nodeFaults: () => [],
    openGateway: () => {
      throw new Error("no gateway is opened");
    },
    openNode(opened): Endpoint {
      scope = opened;
      return { close: () => undefined };
    },
  };
  const node = await startServiceNode({
    logger: false,
    name: "a",
    service: "users",
    functions: [],
    cluster: transport,
  });
  return {
    node,
    /** A pipe to a gateway of this name. @returns how to let everything arrive that the two say */
    connect(name: string) {
      const gateway = createGatewayHost({ gateway: name });
      const [gatewayPipe, nodePipe] = createManualPipe();
      gatewayPipe.receiver = gateway.connected(gatewayPipe);
      nodePipe.receiver = scope?.connected(nodePipe) ?? null;
      return async () => {
        do await settled();
        while (gatewayPipe.deliver() + nodePipe.deliver() > 0);
      };
    },
  };
}

test("A gateway that lets a node in which is leaving is left at once: told of as up, then as down, and not kept", async () => {
  const { node, connect } = await open();
  const first = connect("first");
  await first();
  const second = connect("second");
  using events = recordEvents("gateway.up", "gateway.down");
  const stopped = node.stop({ drainMs: 60_000 });
  await second();
  const peer = "here";
  expect(events.messages.map(({ metadata }) => metadata)).toEqual([
    { node: "a", gateway: "second", peer },
    { node: "a", gateway: "second", peer, reason: "the node stops", orderly: true },
  ]);
  expect(node.gateways).toEqual(["first"]);
  await first();
  await stopped;
});
