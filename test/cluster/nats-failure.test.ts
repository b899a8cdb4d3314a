import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Gateway, type GatewayOptions, startGenApi, startServiceNode } from "gen-api";
import { nats } from "gen-api/nats";
import { describe, expect, test } from "vitest";
import remote from "../fixtures/cluster/service.js";
import { connect, keep, nextEvent } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { NatsServer } from "../support/nats/nats-server.ts";
import type { Client } from "../support/phoenix-client.ts";
import { GatewayProcess } from "../support/processes/gateway-process.ts";
import { NodeProcess } from "../support/processes/node-process.ts";
import { recordEvents } from "../support/record-events.ts";
import { until } from "../support/until.ts";

const signingKey = "a key of the gateways alone, long enough";
const modules = { test: new URL("../fixtures/service.js", import.meta.url) };

/** A gateway over NATS with a function of its own, until the end of the test. */
async function startGateway(server: NatsServer, name: string, options: GatewayOptions = {}): Promise<Gateway> {
  return keep(
    await startGenApi({
      logger: false,
      name,
      listen: { port: 0 },
      channels: [{ topic: "api:*", event: "api" }],
      workerPool: { threads: 1 },
      modules,
      functions: [
        { requestType: "own", service: "remote", nodes: "local", timeout: 5_000, mfa: "test.thread", argTypes: {} },
      ],
      cluster: nats({ servers: server.url, signingKey, announceMs: 500 }),
      ...options,
    }),
  );
}

/** A node's process, whose functions all these gateways have from itself. */
async function startNode(server: NatsServer, name: string, gateways: readonly Gateway[]): Promise<NodeProcess> {
  const pushed = gateways.map((gateway) => pushOf(name, gateway));
  const node = keep(await NodeProcess.start({ name, servers: server.url }));
  await Promise.all(pushed);
  return node;
}

/** Resolves when the gateway has taken a push of the node's, or has had it before. */
function pushOf(node: string, { name }: { readonly name: string }) {
  return nextEvent("config.push", ({ metadata }) => metadata.gateway === name && metadata.node === node);
}

async function startServer(): Promise<NatsServer> {
  return keep(await NatsServer.start());
}

/** What an echo gives: its value, or the error's code. */
async function answerOf(client: Client): Promise<unknown> {
  const { response } = await client.request("echo", { value: "here" });
  return response.success ? response.result : response.error_code;
}

/** Asks as long as it is `unavailable`, and gives what came then. */
async function answerInTheEnd(client: Client): Promise<unknown> {
  for (;;) {
    const answer = await answerOf(client);
    if (answer !== "unavailable") return answer;
  }
}

async function timeOf<Value>(promise: Promise<Value>): Promise<{ readonly value: Value; readonly ms: number }> {
  const startedAt = performance.now();
  return { value: await promise, ms: performance.now() - startedAt };
}

// Three missed heartbeats and a second, as documented, take four seconds; the rest is for a machine that is busy with
// other tests. The function's own timeout is 60 s: whoever is answered within these has not waited for it.
const silentMs = 30_000;

test("when the NATS server is killed and comes back on its store, both gateways and the node find each other again", async () => {
  const server = await startServer();
  const gateways = [await startGateway(server, "g1"), await startGateway(server, "g2")] as const;
  const node = await startNode(server, "n", gateways);
  const clients = [await connect(urlOf(gateways[0])), await connect(urlOf(gateways[1]))] as const;
  const known = gateways.map(({ configCache }) => configCache.count);
  for (const client of clients) expect(await answerOf(client)).toBe("here");

  const lost = clients[0].request("holds", { text: "lost" });
  await node.noted("lost began");
  const down = Promise.all(
    gateways.map(({ name }) => nextEvent("node.down", ({ metadata }) => metadata.gateway === name)),
  );
  await server.signal("SIGKILL");
  await down;
  // Nobody can tell its result any more.
  expect((await lost).response).toMatchObject({ error_code: "unavailable", can_retry: true });
  await node.noted("lost aborted");
  for (const [index, client] of clients.entries()) {
    expect(await answerOf(client)).toBe("unavailable");
    expect((await client.request("own")).response.success).toBe(true);
    expect(gateways[index]?.configCache.count).toBe(known[index]);
  }

  const pushes = Promise.all(gateways.map((gateway) => pushOf("n", gateway)));
  await server.restart();
  // The same version as before: nothing has to be sent again.
  expect((await pushes).map(({ metadata }) => metadata.outcome)).toEqual(["skipped", "skipped"]);
  for (const [index, client] of clients.entries()) {
    expect(await answerInTheEnd(client)).toBe("here");
    expect(gateways[index]?.configCache.count).toBe(known[index]);
  }
  // The bucket has what it had: who comes now learns it there, as the node cannot tell.
  await node.kill("SIGSTOP");
  const third = await startGateway(server, "g3");
  await expect.poll(() => third.configCache.count).toBe(known[0]);
  const client = await connect(urlOf(third));
  expect(await answerOf(client)).toBe("unavailable");
  await node.kill("SIGCONT");
  expect(await answerInTheEnd(client)).toBe("here");
});

test("when the NATS server comes back without its store, the gateways put there again what they know", async () => {
  const store = mkdtempSync(join(tmpdir(), "gen-api-store-"));
  const server = keep(await NatsServer.start({ jetStream: false, config: `jetstream { store_dir: "${store}" }` }));
  const first = await startGateway(server, "g1");
  const node = await startNode(server, "n", [first]);
  await server.signal("SIGKILL");
  // The node hangs: it can tell nobody itself.
  await node.kill("SIGSTOP");
  await server.signal("SIGKILL");
  rmSync(store, { recursive: true });
  await server.restart();
  const second = await startGateway(server, "g2", { expectServices: ["remote"] });
  await expect.poll(() => second.configCache.count).toBeGreaterThan(5);
  await node.kill("SIGCONT");
  expect(await answerInTheEnd(await connect(urlOf(second)))).toBe("here");
  await server.signal("SIGKILL");
  rmSync(store, { recursive: true });
});

test("a node that is gone for longer than nodeGraceMs is forgotten by the bucket too", async () => {
  const server = await startServer();
  const first = await startGateway(server, "g1", { nodeGraceMs: 200 });
  const node = await startNode(server, "n", [first]);
  const deleted = nextEvent("config.delete", ({ metadata }) => metadata.gateway === "g1");
  await node.stop();
  await deleted;
  // Another node, so that it can be told when a new gateway has read the bucket.
  const pushed = pushOf("m", first);
  const other = keep(await NodeProcess.start({ name: "m", servers: server.url, version: "2.0.0" }));
  await pushed;
  await other.kill("SIGSTOP");
  const second = await startGateway(server, "g2");
  await expect
    .poll(() => second.configCache.get("remote", "echo", "2.0.0"))
    .toMatchObject({
      nodes: ["m"],
    });
  expect(second.configCache.get("remote", "echo")).toBe("not_found");
});

describe("a gateway that is killed and started again", () => {
  test("knows the functions from the bucket before it has met their node: `unavailable`, then they work", async () => {
    const server = await startServer();
    const other = await startGateway(server, "g2");
    const options = { name: "g1", servers: server.url, signingKey };
    const gateway = keep(await GatewayProcess.start({ port: 0, ...options }));
    const node = await startNode(server, "n", [other]);
    const before = await connect(gateway.url);
    const isKnown = (client: Client) => until(async () => (await answerOf(client)) === "here");
    await isKnown(before);
    await before.close();
    const otherClient = await connect(urlOf(other));
    // A node that hangs cannot come to the gateway that starts: what that knows it has from the bucket.
    await node.kill("SIGSTOP");
    await gateway.kill();
    const again = keep(await GatewayProcess.start({ ...options, port: gateway.port }));
    const client = await connect(again.url);
    let answer = await answerOf(client);
    while (answer === "not_found") answer = await answerOf(client);
    expect(answer).toBe("unavailable");
    // It does not know less than the other gateway.
    expect((await client.request("nothing")).response.error_code).toBe("not_found");
    await node.kill("SIGCONT");
    expect(await answerInTheEnd(client)).toBe("here");
    expect(await answerInTheEnd(otherClient)).toBe("here");
  });

  test("has its calls at the node ended; the other gateway's go on", async () => {
    const server = await startServer();
    const other = await startGateway(server, "g2");
    const gateway = keep(await GatewayProcess.start({ port: 0, name: "g1", servers: server.url, signingKey }));
    const node = await startNode(server, "n", [other]);
    const client = await connect(gateway.url);
    expect(await answerUntilKnown(client)).toBe("here");
    const others = await connect(urlOf(other));
    const waits = others.request("waits_for", { text: "go" });
    await node.noted("go began");
    client.channel.push("api", { service: "remote", request_type: "holds", request_id: "h", args: { text: "held" } });
    await node.noted("held began");
    await gateway.kill();
    const { ms } = await timeOf(node.noted("held aborted"));
    expect(ms).toBeLessThan(silentMs);
    node.tell("go");
    expect((await waits).response.result).toBe("went");
  });
});

test("a gateway that hangs for longer than nodeGraceMs takes nothing from the others when it goes on, and has its node again", async () => {
  const server = await startServer();
  const other = await startGateway(server, "g2");
  const gateway = keep(
    await GatewayProcess.start({ port: 0, name: "g1", servers: server.url, signingKey, nodeGraceMs: 200 }),
  );
  const client = await connect(gateway.url);
  const others = await connect(urlOf(other));
  const known = pushOf("n", other);
  keep(
    await startServiceNode({
      logger: false,
      name: "n",
      functions: [remote],
      workerPool: { threads: 1 },
      cluster: nats({ servers: server.url }),
    }),
  );
  await known;
  expect(await answerUntilKnown(client)).toBe("here");
  using deleted = recordEvents("config.delete");
  const lost = nextEvent("gateway.down", ({ metadata }) => metadata.gateway === "g1");
  await gateway.kill("SIGSTOP");
  await lost;
  expect(await answerOf(others)).toBe("here");
  const found = nextEvent("gateway.push", ({ metadata }) => metadata.gateway === "g1");
  await gateway.kill("SIGCONT");
  await found;
  for (let count = 0; count < 100; count++) {
    expect(await answerOf(client)).toBe("here");
    expect(await answerOf(others)).toBe("here");
  }
  expect(deleted.messages).toEqual([]);
});

/** Asks until the gateway has the functions and their node. */
async function answerUntilKnown(client: Client): Promise<unknown> {
  for (;;) {
    const answer = await answerOf(client);
    if (answer !== "unavailable" && answer !== "not_found") return answer;
  }
}

describe("a node", () => {
  test("that is killed in the middle of a call: its callers at both gateways are told `unavailable` in time", async () => {
    const server = await startServer();
    const gateways = [await startGateway(server, "g1"), await startGateway(server, "g2")] as const;
    const node = await startNode(server, "n", gateways);
    const clients = [await connect(urlOf(gateways[0])), await connect(urlOf(gateways[1]))] as const;
    const calls = clients.map((client, index) => client.request("holds", { text: `call ${index}` }));
    await Promise.all(clients.map((_client, index) => node.noted(`call ${index} began`)));
    await node.kill();
    const { value, ms } = await timeOf(Promise.all(calls));
    expect(value.map(({ response }) => response.error_code)).toEqual(["unavailable", "unavailable"]);
    expect(ms).toBeLessThan(silentMs);
    await startNode(server, "n", gateways);
    for (const client of clients) expect(await answerInTheEnd(client)).toBe("here");
  });

  test("that hangs (SIGSTOP) is found by its missing heartbeats; when it goes on, it is back, and its calls are aborted", async () => {
    const server = await startServer();
    const gateways = [await startGateway(server, "g1"), await startGateway(server, "g2")] as const;
    const node = await startNode(server, "n", gateways);
    const clients = [await connect(urlOf(gateways[0])), await connect(urlOf(gateways[1]))] as const;
    const calls = clients.map((client, index) => client.request("holds", { text: `call ${index}` }));
    await Promise.all(clients.map((_client, index) => node.noted(`call ${index} began`)));
    await node.kill("SIGSTOP");
    const { value, ms } = await timeOf(Promise.all(calls));
    expect(value.map(({ response }) => response.error_code)).toEqual(["unavailable", "unavailable"]);
    expect(ms).toBeLessThan(silentMs);
    await node.kill("SIGCONT");
    await Promise.all(clients.map((_client, index) => node.noted(`call ${index} aborted`)));
    for (const client of clients) expect(await answerInTheEnd(client)).toBe("here");
  });
});

test("a gateway that starts while NATS is down serves its own functions, and gets the nodes when NATS is there", async () => {
  const server = keep(await NatsServer.prepare());
  const troubled = nextEvent("node.transport.error", ({ metadata }) => metadata.program === "g1");
  const gateway = await startGateway(server, "g1", { expectServices: ["remote"] });
  const client = await connect(urlOf(gateway));
  const node = keep(await NodeProcess.start({ name: "n", servers: server.url }));
  await troubled;
  expect((await client.request("own")).response.success).toBe(true);
  expect(await answerOf(client)).toBe("unavailable");
  await server.restart();
  expect(await answerInTheEnd(client)).toBe("here");
  // And a gateway that stops while NATS is down again does so.
  await server.signal("SIGKILL");
  expect(await gateway.stop()).toMatchObject({ reason: "stopped" });
  const exited = once(node.process, "exit");
  await node.stop();
  expect(await exited).toEqual([0, null]);
});
