import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { type Gateway, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { describe, expect, test } from "vitest";
import remote from "../fixtures/cluster/service.js";
import { connect, keep, nextEvent, nodeUrlOf, startGateway } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { LossyNetwork } from "../support/network/lossy-network.ts";
import { GatewayProcess } from "../support/processes/gateway-process.ts";
import { NodeProcess, type NodeProcessOptions } from "../support/processes/node-process.ts";
import { until } from "../support/until.ts";

/** A node's process, whose functions the gateway knows. */
async function startNode(gateway: Gateway, options: NodeProcessOptions): Promise<NodeProcess> {
  const gateways = [nodeUrlOf(gateway)];
  const node = keep(await NodeProcess.start({ gateways, ...options }));
  await node.connected();
  return node;
}

/** Milliseconds from now until `promise` is settled. */
async function timeOf<Value>(promise: Promise<Value>): Promise<{ value: Value; ms: number }> {
  const startedAt = performance.now();
  const value = await promise;
  return { value, ms: performance.now() - startedAt };
}

// A lost link is noticed at once, a silent one after three heartbeats and a second; the rest is for a machine that is busy
// with other tests. The function's own timeout is 60 s: whoever is answered within this has not waited for it.
const noticedMs = 30_000;

describe("a node's process that is killed (SIGKILL) in the middle of a call", () => {
  test("answers its caller `unavailable` at once, and the next call too, until it is back", async () => {
    const gateway = await startGateway();
    const node = await startNode(gateway, { name: "a" });
    const client = await connect(urlOf(gateway));
    const call = client.request("holds", { text: "call" });
    await node.noted("call began");
    await node.kill();
    const { value, ms } = await timeOf(call);
    expect(value.response).toMatchObject({ success: false, error_code: "unavailable", can_retry: true });
    expect(ms).toBeLessThan(noticedMs);
    expect((await client.request("echo", { value: 1 })).response.error_code).toBe("unavailable");
    await startNode(gateway, { name: "a" });
    expect((await client.request("echo", { value: 2 })).response.result).toBe(2);
  });

  test("has a call with `retry` answered by another node", async () => {
    const gateway = await startGateway();
    const [a] = [await startNode(gateway, { name: "a" }), await startNode(gateway, { name: "b" })];
    const client = await connect(urlOf(gateway));
    const gone = once(a.process, "exit");
    expect((await client.request("dies_once")).response.result).toBe("b");
    await gone;
  });

  test("ends its streams with `unavailable`, and nobody else notices", async () => {
    const gateway = await startGateway();
    const node = await startNode(gateway, { name: "a" });
    await using other = await connect(urlOf(gateway));
    const client = await connect(urlOf(gateway));
    const first = new Promise((resolve) => client.channel.on("api", resolve));
    const stream = client.request("endless");
    await first;
    await node.kill();
    const { value, ms } = await timeOf(stream);
    expect(value.response).toMatchObject({ success: false, error_code: "unavailable", has_more: false });
    expect(ms).toBeLessThan(noticedMs);
    expect(other.socket.isConnected()).toBe(true);
  });
});

test("a node whose process hangs (SIGSTOP) is found by its missing heartbeats; when it goes on it comes back", async () => {
  const gateway = await startGateway();
  const node = await startNode(gateway, { name: "a" });
  const client = await connect(urlOf(gateway));
  const call = client.request("holds", { text: "call" });
  await node.noted("call began");
  await node.kill("SIGSTOP");
  const { value, ms } = await timeOf(call);
  expect(value.response.error_code).toBe("unavailable");
  expect(ms).toBeLessThan(noticedMs);
  const isBack = gateway.nodes.whenUp("a");
  await node.kill("SIGCONT");
  await isBack;
  // What nobody waits for any more was told so.
  await node.noted("call aborted");
  expect((await client.request("echo", { value: 1 })).response.result).toBe(1);
});

describe("a network that loses what goes one way, and nothing of what goes the other,", () => {
  test.each(["to the node", "to the gateway"] as const)(
    "%s: callers hear of it in the documented time",
    async (way) => {
      const gateway = await startGateway();
      await using network = await LossyNetwork.open(gateway.address?.port ?? 0);
      const url = `ws://127.0.0.1:${network.port}/node`;
      const node = keep(await NodeProcess.start({ name: "a", gateways: [url] }));
      await node.connected();
      const client = await connect(urlOf(gateway));
      const call = client.request("holds", { text: "call" });
      await node.noted("call began");
      network.lose(way === "to the node" ? "in" : "out");
      const { value, ms } = await timeOf(call);
      expect(value.response.error_code).toBe("unavailable");
      expect(ms).toBeLessThan(noticedMs);
      network.heal();
      await until(async () => (await client.request("echo", { value: 1 })).response.success);
    },
  );
});

test("a gateway that is killed and started again gets its nodes and clients back; no call is answered twice", async () => {
  const gateway = keep(await GatewayProcess.start({ port: 0 }));
  const node = keep(await NodeProcess.start({ name: "a", gateways: [gateway.nodeUrl] }));
  const client = await connect(gateway.url);
  await node.connected();
  const answers: string[] = [];
  client.channel.on("api", ({ request_id }: { request_id: string }) => {
    answers.push(request_id);
  });
  client.channel.push("api", {
    service: "remote",
    request_type: "holds",
    request_id: "lost",
    args: { text: "lost" },
  });
  await node.noted("lost began");
  await gateway.kill();
  // The node ends what its gateway cannot be told any more.
  await node.noted("lost aborted");
  const reopened = new Promise<void>((resolve) => client.socket.onOpen(() => resolve()));
  keep(await GatewayProcess.start({ port: gateway.port, expectServices: ["remote"] }));
  await reopened;
  // The node reconnects and pushes by itself; until then its functions are `unavailable`, which clients may try again.
  let again = await client.request("echo", { value: "again" });
  while (again.response.error_code === "unavailable") again = await client.request("echo", { value: "again" });
  expect(again.response.result).toBe("again");
  expect(answers.filter((id) => id === "lost")).toEqual([]);
});

test("while a node that answers many calls is killed, every call is answered exactly once, most of them by the other node", async () => {
  const gateway = await startGateway();
  const [a] = [await startNode(gateway, { name: "a" }), await startNode(gateway, { name: "b" })];
  const client = await connect(urlOf(gateway));
  const counts = new Map<string, number>();
  client.channel.on("api", ({ request_id }: { request_id: string }) => {
    counts.set(request_id, (counts.get(request_id) ?? 0) + 1);
  });
  const outcomes: (string | undefined)[] = [];
  let sent = 0;
  const keepCalling = async () => {
    while (sent < 2_000) {
      sent++;
      if (sent === 500) a.process.kill("SIGKILL");
      outcomes.push((await client.request("echo", { value: 1 })).response.error_code);
    }
  };
  const gone = once(a.process, "exit");
  await Promise.all(Array.from({ length: 20 }, keepCalling));
  await gone;
  expect([...counts.values()].every((count) => count === 1)).toBe(true);
  expect(counts.size).toBe(sent);
  // Those that the killed node had begun are `unavailable`, all others have their result.
  const failed = outcomes.filter((code) => code !== undefined);
  expect(failed.every((code) => code === "unavailable")).toBe(true);
  expect(failed.length).toBeLessThanOrEqual(20);
});

test("garbage and oversized frames on /node close that link alone", async () => {
  const gateway = await startGateway();
  await startNode(gateway, { name: "a" });
  const client = await connect(urlOf(gateway));
  const { default: WebSocket } = await import("ws");
  const url = nodeUrlOf(gateway);
  for (const message of [Buffer.from("garbage"), Buffer.alloc(0), Buffer.alloc(1_000_000), "text", "{}"]) {
    const socket = new WebSocket(url, "gen-api.node.1");
    await once(socket, "open");
    socket.send(message);
    await once(socket, "close");
  }
  const huge = new WebSocket(url, "gen-api.node.1");
  await once(huge, "open");
  huge.on("error", () => undefined);
  huge.send(Buffer.alloc(70 * 1024 * 1024));
  await once(huge, "close");
  expect((await client.request("echo", { value: "still here" })).response.result).toBe("still here");
});

test("a node that is told of one gateway twice keeps one link to it, and the other is refused and left", async () => {
  const gateway = await startGateway();
  const url = nodeUrlOf(gateway);
  const downs: unknown[] = [];
  const down = (event: unknown) => downs.push(event);
  const refused = new Promise<unknown>((resolve) => subscribe("gen_api.node.refuse", resolve));
  subscribe("gen_api.node.down", down);
  const node = keep(
    await startServiceNode({
      logger: false,
      name: "a",
      functions: [remote],
      workerPool: { threads: 1 },
      cluster: link({ gateways: [url, url.replace("127.0.0.1", "localhost")] }),
    }),
  );
  await node.connected();
  expect(await refused).toMatchObject({ metadata: { reason: expect.stringContaining("connected already") } });
  expect(node.gateways).toHaveLength(1);
  expect(downs).toEqual([]);
  unsubscribe("gen_api.node.down", down);
});

test("a node that stops is not reached anew by a gateway that it has left, while calls of another still run on it", async () => {
  const gateways = [await startGateway({ name: "one" }), await startGateway({ name: "two" })] as const;
  const node = keep(await NodeProcess.start({ name: "a", gateways: gateways.map(nodeUrlOf) }));
  await Promise.all(gateways.map((gateway) => gateway.nodes.whenUp("a")));
  await node.connected();
  const client = await connect(urlOf(gateways[1]));
  await until(async () => (await client.request("echo", { value: 1 })).response.success);
  const call = client.request("waits_for", { text: "last" });
  await node.noted("last began");
  const left = nextEvent("node.down", ({ metadata }) => metadata.gateway === "one");
  const cameBack: unknown[] = [];
  const up = (event: unknown) => cameBack.push(event);
  subscribe("gen_api.node.up", up);
  const stopped = node.stop({ drainMs: 20_000 });
  await left;
  // It dials nobody any more.
  node.tell("last");
  expect((await call).response.result).toBe("went");
  await stopped;
  expect(cameBack).toEqual([]);
  unsubscribe("gen_api.node.up", up);
});
