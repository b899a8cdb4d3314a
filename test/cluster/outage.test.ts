import { isDeepStrictEqual } from "node:util";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { type Gateway, type GatewayOptions, startGenApi } from "gen-api";
import { link } from "gen-api/link";
import { type NatsOptions, nats } from "gen-api/nats";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connect, keep, nextEvent, nodeUrlOf } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { NatsServer } from "../support/nats/nats-server.ts";
import { NodeProcess } from "../support/processes/node-process.ts";
import { recordEvents } from "../support/record-events.ts";
import { until } from "../support/until.ts";

const signingKey = "a key of the gateways alone, long enough";

// Far less than it takes to notice that a server hangs.
const nodeGraceMs = 300;

let server: NatsServer;
let prefix = "";
let count = 0;

beforeAll(async () => {
  server = await NatsServer.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  count += 1;
  prefix = `outage_${count}`;
});

/** A gateway over NATS for clients and nodes, until the end of the test. */
async function startGateway(name: string, options: GatewayOptions = {}, over: NatsOptions = {}): Promise<Gateway> {
  return keep(
    await startGenApi({
      name,
      listen: { port: 0 },
      channels: [{ topic: "api:*", event: "api" }],
      workerPool: { threads: 1 },
      cluster: nats({ servers: server.url, signingKey, announceMs: 200, prefix, ...over }),
      nodeGraceMs,
      // Nodes are missed before it is known that the server is, and not because the machine is busy.
      heartbeat: { intervalMs: 100, missed: 10 },
      ...options,
    }),
  );
}

/** A node's process, of which these gateways have the functions from itself. */
async function startNode(name: string, gateways: readonly Gateway[], options: Record<string, unknown> = {}) {
  const pushed = gateways.map((gateway) =>
    nextEvent("config.push", ({ metadata }) => metadata.gateway === gateway.name && metadata.node === name),
  );
  const node = keep(await NodeProcess.start({ name, servers: server.url, prefix, ...options }));
  await Promise.all(pushed);
  return node;
}

/** What a call of a function comes to: its result or its error's code, and whether clients may try again. */
async function answerOf(gateway: Gateway, requestType = "node"): Promise<unknown> {
  const { success, result, error_code, can_retry } = await gateway.request({
    service: "remote",
    requestType,
    args: {},
  });
  return success ? result : { error_code, can_retry };
}

const unavailable = { error_code: "unavailable", can_retry: true };
const unknown = { error_code: "not_found", can_retry: false };

const codesOf = (gateway: Gateway) => gateway.diagnostics.health().reasons.map(({ code }) => code);

async function readinessOf(gateway: Gateway): Promise<{ readonly status: number; readonly codes: readonly string[] }> {
  const { host, port } = gateway.address as { host: string; port: number };
  const response = await fetch(`http://${host}:${port}/readyz`);
  const { reasons } = (await response.json()) as { reasons: { code: string }[] };
  return { status: response.status, codes: reasons.map(({ code }) => code) };
}

/** Resolves when the gateway calls this node, and all is well with it. */
async function untilWell(gateway: Gateway, node: string): Promise<void> {
  await until(async () => (await answerOf(gateway)) === node);
  await until(async () => isDeepStrictEqual(await readinessOf(gateway), { status: 200, codes: [] }));
  await until(() => gateway.diagnostics.health().status === "ok");
}

/** The number of the bucket's last change: it grows with every write. */
async function lastChange(bucket = prefix): Promise<number> {
  const connection = await connectNats({ servers: server.url });
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(`KV_${bucket}`);
  await connection.close();
  return state.last_seq;
}

/** The number of the last change of its only entry. Gateways that write it at once may write its parts twice. */
async function entryChange(): Promise<number> {
  const connection = await connectNats({ servers: server.url });
  const manager = await jetstreamManager(connection);
  const message = await manager.streams.getMessage(`KV_${prefix}`, { last_by_subj: `$KV.${prefix}.entry.>` });
  await connection.close();
  return message?.seq ?? 0;
}

/** How many entries are in the bucket; each is written after its parts. */
async function entries(bucket = prefix): Promise<number> {
  const connection = await connectNats({ servers: server.url });
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(`KV_${bucket}`, { subjects_filter: `$KV.${bucket}.entry.>` });
  await connection.close();
  return Object.keys(state.subjects ?? {}).length;
}

const outages: [what: string, begin: () => Promise<void>, end: () => Promise<void>][] = [
  ["is stopped (SIGTERM)", () => server.signal("SIGTERM"), () => server.restart()],
  ["hangs (SIGSTOP)", () => server.signal("SIGSTOP"), () => server.signal("SIGCONT")],
];

describe.each(outages)("while the NATS server %s, for longer than nodeGraceMs,", (_what, begin, end) => {
  test("gateways forget nothing, answer `unavailable`, say that they are cut off, and have all of it again after", async () => {
    using events = recordEvents("config.delete", "cluster.lost", "cluster.back");
    const gateways = [await startGateway("g1", { expectServices: ["remote"] }), await startGateway("g2")] as const;
    await startNode("n", gateways);
    for (const gateway of gateways) await untilWell(gateway, "n");
    const known = gateways[0].configCache.count;
    await until(async () => (await entries()) === 1);
    const before = await entryChange();
    const lost = gateways.map(({ name }) => nextEvent("cluster.lost", ({ metadata }) => metadata.gateway === name));
    await begin();
    await Promise.all(lost);
    // An expected service is missing when its nodes are away for longer than the grace.
    await until(() => codesOf(gateways[0]).includes("service_missing"));
    for (const gateway of gateways) {
      expect(await answerOf(gateway)).toEqual(unavailable);
      // Nodes may have brought it to other gateways meanwhile.
      expect(await answerOf(gateway, "something new")).toEqual(unavailable);
      expect(gateway.diagnostics.health()).toMatchObject({ status: "degraded" });
      expect(codesOf(gateway)).toContain("cut_off");
      expect(gateway.diagnostics.cluster().cutOffBecause).toMatch(/^nats: /);
      expect(gateway.configCache.count).toBe(known);
    }
    expect(await readinessOf(gateways[0])).toEqual({ status: 503, codes: ["cut_off", "service_missing"] });
    expect(await readinessOf(gateways[1])).toEqual({ status: 200, codes: ["cut_off"] });
    const back = gateways.map(({ name }) => nextEvent("cluster.back", ({ metadata }) => metadata.gateway === name));
    await end();
    await Promise.all(back);
    for (const gateway of gateways) {
      await untilWell(gateway, "n");
      // It has read what it may have missed.
      expect(await answerOf(gateway, "something new")).toEqual(unknown);
    }
    expect(events.messages.map(({ event }) => event).sort()).toEqual([
      "cluster.back",
      "cluster.back",
      "cluster.lost",
      "cluster.lost",
    ]);
    expect(await entryChange()).toBe(before);
  });

  test("and the nodes do not come back at once, nothing is taken from the bucket: who starts then knows it", async () => {
    const gateways = [await startGateway("g1"), await startGateway("g2")] as const;
    const node = await startNode("n", gateways);
    // A server that is stopped before the entry is in the bucket does not have it.
    await until(async () => (await entries()) === 1);
    const lost = gateways.map(({ name }) => nextEvent("cluster.lost", ({ metadata }) => metadata.gateway === name));
    await begin();
    await Promise.all(lost);
    await node.kill("SIGSTOP");
    const back = gateways.map(({ name }) => nextEvent("cluster.back", ({ metadata }) => metadata.gateway === name));
    await end();
    await Promise.all(back);
    using deleted = recordEvents("config.delete");
    // All had their time to come back, in which this one did not.
    await until(() => !gateways[0].nodes.list().some(({ node }) => node === "n"));
    expect(deleted.messages).toEqual([]);
    const third = await startGateway("g3");
    for (const gateway of [...gateways, third]) expect(await answerOf(gateway)).toEqual(unavailable);
    await node.kill("SIGCONT");
    for (const gateway of [...gateways, third]) await until(async () => (await answerOf(gateway)) === "n");
  });
});

test("a NATS server that loses its store while it is away gets it from the gateways, though the nodes are away for longer than nodeGraceMs", async () => {
  const first = await startGateway("g1");
  const node = await startNode("n", [first]);
  const lost = nextEvent("cluster.lost");
  await server.signal("SIGTERM");
  await lost;
  await node.kill("SIGSTOP");
  server.wipe();
  const back = nextEvent("cluster.back");
  await server.restart();
  await back;
  await until(() => !first.nodes.list().some(({ node }) => node === "n"));
  await until(async () => (await lastChange()) > 0);
  const second = await startGateway("g2");
  for (const gateway of [first, second]) expect(await answerOf(gateway)).toEqual(unavailable);
  await node.kill("SIGCONT");
  for (const gateway of [first, second]) await until(async () => (await answerOf(gateway)) === "n");
});

describe("while the NATS server works and the bucket does not,", () => {
  test("because it is deleted: gateways notice by themselves, and make and fill it again", async () => {
    const gateways = [await startGateway("g1"), await startGateway("g2")] as const;
    const node = await startNode("n", gateways);
    await until(async () => (await entries()) === 1);
    await node.kill("SIGSTOP");
    const connection = await connectNats({ servers: server.url });
    await (await jetstreamManager(connection)).streams.delete(`KV_${prefix}`);
    await connection.close();
    await until(async () => (await entries().catch(() => 0)) === 1);
    const third = await startGateway("g3");
    for (const gateway of [...gateways, third]) expect(await answerOf(gateway)).toEqual(unavailable);
    await node.kill("SIGCONT");
    for (const gateway of [...gateways, third]) await until(async () => (await answerOf(gateway)) === "n");
  });

  test("because JetStream is lost: nodes are called, what is not known is `unavailable`, and health and /readyz say so", async () => {
    await using own = await NatsServer.start();
    const gateway = await startGateway("g1", {}, { servers: own.url });
    await startNode("n", [gateway], { servers: own.url });
    await untilWell(gateway, "n");
    await own.signal("SIGTERM");
    own.configure({ jetStream: false });
    await own.restart();
    await until(async () => (await answerOf(gateway)) === "n");
    await until(() => codesOf(gateway).includes("functions_outdated"));
    expect(await answerOf(gateway, "something new")).toEqual(unavailable);
    expect(await readinessOf(gateway)).toEqual({ status: 200, codes: ["functions_outdated"] });
    await own.signal("SIGTERM");
    own.configure({});
    await own.restart();
    await untilWell(gateway, "n");
    expect(await answerOf(gateway, "something new")).toEqual(unknown);
  });
});

describe("a gateway that starts", () => {
  test("lets clients in when it has read the bucket: no function that is there is ever unknown to it", async () => {
    const first = await startGateway("g1");
    const node = await startNode("n", [first]);
    await node.kill("SIGSTOP");
    for (let start = 0; start < 5; start++) {
      const gateway = await startGateway(`late-${start}`);
      const client = await connect(urlOf(gateway));
      expect((await client.request("node")).response).toMatchObject(unavailable);
      expect((await client.request("nothing")).response).toMatchObject(unknown);
    }
    await node.kill("SIGCONT");
  });

  test("and cannot read the bucket, does so after readTimeoutMs: it is not ready, and whatever it does not know is `unavailable`", async () => {
    await server.signal("SIGSTOP");
    const startedAt = performance.now();
    const gateway = await startGateway("g1", {}, { readTimeoutMs: 200 });
    expect(performance.now() - startedAt).toBeGreaterThan(190);
    expect(await answerOf(gateway)).toEqual(unavailable);
    expect(await readinessOf(gateway)).toEqual({ status: 503, codes: ["cut_off", "functions_not_read"] });
    await server.signal("SIGCONT");
    await until(() => gateway.diagnostics.health().status === "ok");
    await until(async () => isDeepStrictEqual(await answerOf(gateway), unknown));
    expect(await readinessOf(gateway)).toEqual({ status: 200, codes: [] });
  });
});

describe("of a node that one gateway lets in and another does not, the bucket's entry is written once:", () => {
  type Way = () => [GatewayOptions & { readonly pushToken?: string }, NatsOptions];
  const ways: [what: string, one: Way, other: Way][] = [
    ["they have other tokens", () => [{ pushToken: "one" }, {}], () => [{ pushToken: "two" }, {}]],
    [
      "they have other prefixes and one bucket",
      () => [{}, { bucket: `shared_${count}` }],
      () => [{}, { bucket: `shared_${count}`, prefix: `${prefix}_other` }],
    ],
  ];
  test.each(ways)(
    "%s",
    async (_what, oneOf, otherOf) => {
      const [oneOptions, oneOver] = oneOf();
      const [otherOptions, otherOver] = otherOf();
      const one = await startGateway("g1", oneOptions, oneOver);
      const node = { pushToken: oneOptions.pushToken };
      await startNode("n", [one], node);
      const other = await startGateway("g2", otherOptions, otherOver);
      await until(async () => (await entries(oneOver.bucket)) === 1);
      const before = await lastChange(oneOver.bucket);
      // Time passes at the other gateway, which never hears of the node: several graces.
      const others = { pushToken: otherOptions.pushToken, prefix: otherOver.prefix ?? prefix };
      for (let round = 0; round < 3; round++) {
        const passer = await startNode("passer-by", [other], { ...others, version: `9.9.${round}` });
        const forgotten = nextEvent("config.delete", ({ metadata }) => metadata.version === `9.9.${round}`);
        await passer.stop();
        await forgotten;
      }
      // The passers-by are two writes each and one part.
      expect((await lastChange(oneOver.bucket)) - before).toBe(9);
      await until(async () => (await answerOf(one)) === "n");
      expect(await answerOf(other)).toEqual(unavailable);
      const late = await startGateway("g3", oneOptions, oneOver);
      await until(async () => (await answerOf(late)) === "n");
    },
    60_000,
  );
});

describe("over links, when all nodes have vanished for longer than nodeGraceMs,", () => {
  test("their functions are `unavailable`, the expected service is missing, and /readyz says so, until one is back", async () => {
    const options = { cluster: link(), expectServices: ["remote"] };
    const gateway = await startGateway("g1", options);
    const quiet = await startGateway("g2", { cluster: link() });
    const gateways = [nodeUrlOf(gateway), nodeUrlOf(quiet)];
    const nodes = [
      await startNode("a", [gateway, quiet], { gateways, servers: undefined }),
      await startNode("b", [gateway, quiet], { gateways, servers: undefined }),
    ];
    using deleted = recordEvents("config.delete");
    for (const node of nodes) await node.kill();
    await until(() => !gateway.nodes.list().some(({ node }) => node === "a" || node === "b"));
    await until(() => codesOf(gateway).includes("service_missing"));
    for (const one of [gateway, quiet]) {
      expect(await answerOf(one)).toEqual(unavailable);
      expect(one.diagnostics.health().status).toBe("degraded");
    }
    expect(await readinessOf(gateway)).toEqual({ status: 503, codes: ["service_missing"] });
    expect(codesOf(quiet)).toEqual(["service_without_nodes"]);
    expect(deleted.messages).toEqual([]);
    await startNode("c", [gateway, quiet], { gateways, servers: undefined });
    for (const one of [gateway, quiet]) await untilWell(one, "c");
  });

  test("and an expected service whose nodes have all left in good order stays `unavailable` too", async () => {
    const options = { cluster: link(), expectServices: ["remote"] };
    const gateway = await startGateway("g1", options);
    const gateways = [nodeUrlOf(gateway)];
    const node = await startNode("a", [gateway], { gateways, servers: undefined });
    const deleted = nextEvent("config.delete", ({ metadata }) => metadata.gateway === "g1");
    await node.stop();
    await deleted;
    await until(() => gateway.configCache.count === 0);
    expect(await answerOf(gateway)).toEqual(unavailable);
    expect(await readinessOf(gateway)).toEqual({ status: 503, codes: ["service_missing"] });
  });
});
