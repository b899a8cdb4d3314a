import { GenApiError } from "gen-api/client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LossyNetwork } from "../support/network/lossy-network.ts";
import { GatewayProcess } from "../support/processes/gateway-process.ts";
import { NodeProcess } from "../support/processes/node-process.ts";
import { openClient, reaches, type TestClient } from "./open-client.ts";

const startGateway = (port = 0) => GatewayProcess.start({ port }, "client/gateway.js");
const quick = { heartbeatIntervalMs: 200 };

let gateway: GatewayProcess;
beforeEach(async () => {
  gateway = await startGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

/** A call of each kind that the gateway has, and does not answer; each comes to the error that ends it. */
async function underWay(client: TestClient): Promise<Promise<unknown>[]> {
  const calls: Promise<unknown>[] = [client.api.test.wait(), client.api.test.wait_long()];
  // The gateway reads in order: with the stream it has those before.
  const chunks = client.api.test.quiet({}, { resume: false })[Symbol.asyncIterator]();
  expect(await chunks.next()).toEqual({ done: false, value: "hello" });
  return [...calls, chunks.next()].map((call) => call.then(() => "answered").catch((error: unknown) => error));
}

async function areLost(calls: readonly Promise<unknown>[], reason?: string): Promise<void> {
  for (const error of await Promise.all(calls)) {
    expect(error).toBeInstanceOf(GenApiError);
    expect(error).toMatchObject({ code: "disconnected", canRetry: true, requestId: expect.stringMatching(/-\d+$/) });
    if (reason !== undefined) expect(error).toMatchObject({ reason });
  }
}

const answers = async (client: TestClient) => expect(await client.api.test.add({ a: 1, b: 2 })).toBe(3);

describe("no call is left pending, and the next one is answered, when", () => {
  test("the gateway is killed", async () => {
    using client = openClient(gateway.url, { waitMs: 100_000 });
    const calls = await underWay(client);
    await gateway.kill();
    await areLost(calls);
    const waiting = client.api.test.add({ a: 1, b: 2 });
    gateway = await startGateway(gateway.port);
    expect(await waiting).toBe(3);
  });

  test("the gateway's process stands still, and goes on", async () => {
    using client = openClient(gateway.url, quick);
    const calls = await underWay(client);
    await gateway.kill("SIGSTOP");
    await areLost(calls);
    await gateway.kill("SIGCONT");
    await answers(client);
  });

  test("the service node is killed that runs them", async () => {
    const startNode = () => NodeProcess.start({ name: "a", gateways: [gateway.nodeUrl] });
    await using node = await startNode();
    await node.connected();
    using client = openClient(gateway.url);
    const call = client.call("remote", "holds", { text: "lost" });
    await node.noted("lost began");
    const loop = async () => {
      for await (const _ of client.call("remote", "endless")) if (node.process.signalCode === null) await node.kill();
    };
    const lost = { code: "unavailable", canRetry: true };
    await Promise.all([expect(loop()).rejects.toMatchObject(lost), expect(call).rejects.toMatchObject(lost)]);
    expect(client.status).toBe("open");
    await using next = await startNode();
    await next.connected();
    expect(await client.call("remote", "node")).toBe("a");
  });

  test.each(["in", "out"] as const)("the network swallows what goes %s", async (way) => {
    await using network = await LossyNetwork.open(gateway.port);
    using client = openClient(`ws://127.0.0.1:${network.port}/socket`, quick);
    const calls = await underWay(client);
    network.lose(way);
    await areLost(calls);
    network.heal();
    await answers(client);
  });

  test("the channel crashes", async () => {
    using client = openClient(gateway.url);
    const calls = await underWay(client);
    client.channel.push("no_such_event", {});
    await areLost(calls, "channel_crash");
    await answers(client);
  });

  test("the token has expired, and there is a new one", async () => {
    const tokens = ["short", "refused", "good"];
    const asked: (string | undefined)[] = [];
    const authToken = async () => {
      asked.push(tokens[0]);
      return tokens.length > 1 ? tokens.shift() : tokens[0];
    };
    using client = openClient(gateway.url, { authToken });
    const calls = await underWay(client);
    await areLost(calls);
    await answers(client);
    expect(asked).toEqual(["short", "refused", "good"]);
  });

  test("the token cannot be had, or comes too late", async () => {
    let asked = 0;
    const authToken = () => {
      asked++;
      if (asked === 1) return new Promise<string>(() => undefined);
      if (asked === 2) return Promise.reject(new Error("the token server is away"));
      return "good";
    };
    using client = openClient(gateway.url, { authToken, connectTimeoutMs: 100 });
    const reasons: unknown[] = [];
    client.onStatus((_status, error) => reasons.push((error?.cause as Error | undefined)?.message));
    await answers(client);
    expect(reasons.slice(0, 2)).toEqual(["It took too long to connect", "the token server is away"]);
    // On a busy machine even the good token may be too late, again and again.
    const later = reasons.slice(2).filter((reason) => reason !== undefined);
    expect(later.filter((reason) => reason !== "It took too long to connect")).toEqual([]);
  });
});

describe("what waits is told, when", () => {
  test("nobody is there: after waitMs, with what the socket said", async () => {
    await gateway.kill();
    using client = openClient(gateway.url, { waitMs: 200 });
    await expect(client.api.test.add({ a: 1, b: 2 })).rejects.toMatchObject({
      code: "disconnected",
      reason: "not_connected",
      canRetry: true,
      message: expect.stringContaining("No connection for 200 ms: No connection: there is no gateway"),
    });
    // The caller's own time comes first.
    await expect(client.api.test.add({ a: 1, b: 2 }, { timeoutMs: 20 })).rejects.toMatchObject({ code: "timeout" });
    const signal = AbortSignal.timeout(20);
    await expect(client.api.test.add({ a: 1, b: 2 }, { signal })).rejects.toMatchObject({ code: "cancelled" });
  });

  test("the token is refused each time: after waitMs", async () => {
    using client = openClient(gateway.url, { waitMs: 200, authToken: "refused" });
    await expect(client.api.test.add({ a: 1, b: 2 })).rejects.toMatchObject({ reason: "not_connected" });
  });

  test("the join is refused: at once, with the gateway's reason, and no word of trying again", async () => {
    using client = openClient(gateway.url, { topic: "api:closed", waitMs: 60_000 });
    const calls = [client.api.test.add({ a: 1, b: 2 }), client.api.test.quiet()[Symbol.asyncIterator]().next()];
    for (const call of calls) {
      await expect(call).rejects.toMatchObject({ code: "disconnected", reason: "unauthorized", canRetry: false });
    }
    expect(client.status).toBe("connecting");
  });

  test("the topic is joined again over the same socket: the gateway closes the channel for good", async () => {
    using client = openClient(gateway.url);
    const calls = await underWay(client);
    const again = client.channel as never as { socket: { channel(topic: string): { join(): void } } };
    again.socket.channel("api:lobby").join();
    await areLost(calls);
    await reaches(client, "closed");
    await expect(client.api.test.add({ a: 1, b: 2 })).rejects.toMatchObject({ code: "disconnected" });
  });

  test("the client is closed", async () => {
    const client = openClient(gateway.url);
    const calls = await underWay(client);
    client.close();
    for (const error of await Promise.all(calls)) {
      expect(error).toMatchObject({ code: "disconnected", reason: "closed", canRetry: false });
    }
  });
});

test("a gateway that drains answers what runs; what comes then waits for the next one", async () => {
  using client = openClient(gateway.url, { waitMs: 100_000 });
  await answers(client);
  const running = client.api.test.slow({ ms: 500 });
  const stream = client.api.test.quiet()[Symbol.asyncIterator]();
  await stream.next();
  const ended = stream.next().catch((error: unknown) => error);
  const stopped = gateway.stop();
  await reaches(client, "connecting");
  const waiting = client.api.test.add({ a: 2, b: 2 });
  expect(await running).toBe("slept");
  expect(await ended).toMatchObject({ code: "unavailable", canRetry: true });
  await stopped;
  gateway = await startGateway(gateway.port);
  expect(await waiting).toBe(4);
});

test("a gateway that stands still while it drains leaves nothing pending", async () => {
  using client = openClient(gateway.url, quick);
  const calls = await underWay(client);
  const stopped = gateway.stop();
  await reaches(client, "connecting");
  await gateway.kill("SIGSTOP");
  await areLost(calls);
  await gateway.kill();
  await stopped;
});
