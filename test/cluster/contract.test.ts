import { type Gateway, type ServiceNode, startGenApi, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { nats } from "gen-api/nats";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import remote from "../fixtures/cluster/service.js";
import { local } from "../node/local/local.ts";
import { urlOf } from "../support/gateway.ts";
import { NatsServer } from "../support/nats/nats-server.ts";
import { Notes } from "../support/notes.ts";
import { type Client, connectClient } from "../support/phoenix-client.ts";
import { until } from "../support/until.ts";

/** How the gateway and the node of a test reach each other. */
interface Cluster {
  gateway(): Parameters<typeof startGenApi>[0] & object;
  node(gateway: Gateway): Parameters<typeof startServiceNode>[0]["cluster"];
}

let server: NatsServer;
beforeAll(async () => {
  server = await NatsServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

const signingKey = "a key of the gateways alone, long enough";
const clusters: Record<string, () => Cluster> = {
  "in one process": () => {
    const transport = local();
    return { gateway: () => ({ cluster: transport }), node: () => transport };
  },
  "over a link": () => ({
    gateway: () => ({ cluster: link() }),
    node: (gateway) => link({ gateways: [urlOf(gateway).replace("/socket", "/node")] }),
  }),
  "over a link on a port of its own": () => ({
    gateway: () => ({ cluster: link({ listen: { port: 0 } }) }),
    node: (gateway) => link({ gateways: [gateway.nodes.address?.url ?? "none"] }),
  }),
  "over NATS": () => ({
    gateway: () => ({ cluster: nats({ servers: server.url, signingKey, prefix: "contract" }) }),
    node: () => nats({ servers: server.url, prefix: "contract" }),
  }),
};

describe.each(Object.entries(clusters))("a service node's functions, %s:", (_how, make) => {
  let gateway: Gateway;
  let node: ServiceNode;
  let client: Client;

  // One of each for all tests; the last test stops the node.
  beforeAll(async () => {
    const cluster = make();
    gateway = await startGenApi({
      logger: false,
      listen: { port: 0 },
      socket: { connect: () => ({ userId: "alice" }) },
      channels: [{ topic: "api:*", event: "api" }],
      workerPool: { threads: 1 },
      pushToken: "secret",
      ...cluster.gateway(),
    });
    node = await startServiceNode({
      logger: false,
      name: "node@test",
      functions: [remote],
      workerPool: { threads: 1 },
      pushToken: "secret",
      cluster: cluster.node(gateway),
    });
    await node.connected();
  });
  afterAll(async () => {
    await node.stop();
    await gateway.stop();
  });
  beforeEach(async () => {
    client = await connectClient(urlOf(gateway), { service: "remote" });
  });
  afterEach(() => client.close());

  test("a sync call is answered with its result", async () => {
    const value = { text: "ü€😀", list: [1, 2.5, null, true], deep: { a: { b: {} } }, "": "" };
    expect((await client.request("echo", { value })).response.result).toEqual(value);
  });

  test("a datetime arrives as the Date that the argument types promise", async () => {
    const at = "2026-01-02T03:04:05.678Z";
    expect((await client.request("when", { at })).response.result).toBe(Date.parse(at));
  });

  test("an async call is acknowledged, then answered; a none call is acknowledged and runs", async () => {
    using notes = new Notes();
    const answered = await client.request("echo_async", { value: [1] });
    expect(answered).toMatchObject({ response: { result: [1] }, order: ["reply", "response"] });
    client.channel.push("api", {
      service: "remote",
      request_type: "forget",
      request_id: "n",
      args: { text: "forgotten" },
    });
    await notes.next("forgotten began");
  });

  test("a stream arrives chunk by chunk, in order, with its end", async () => {
    const chunks: number[] = [];
    const request = { service: "remote", requestType: "counts", args: { to: 1_000 } };
    for await (const chunk of gateway.stream<number>(request)) chunks.push(chunk);
    expect(chunks).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
  });

  test.each([40_000, 100_000, 500_000])("a stream of chunks of %i bytes arrives whole", async (size) => {
    let bytes = 0;
    const request = { service: "remote", requestType: "big_chunks", args: { size, count: 40 } };
    for await (const chunk of gateway.stream<string>(request)) bytes += chunk.length;
    expect(bytes).toBe(40 * size);
  });

  test("a stream whose client takes nothing more stops, and is stopped when its client leaves the loop", async () => {
    let taken = 0;
    for await (const chunk of gateway.stream<string>({ service: "remote", requestType: "endless" })) {
      taken++;
      expect(chunk.trim()).toBe(`${taken}`);
      if (taken === 200) break;
    }
    expect((await client.request("echo", { value: 1 })).response.result).toBe(1);
  });

  test("what a function throws is told: a GenApiError as it is, anything else without its text", async () => {
    expect((await client.request("fails")).response).toMatchObject({
      error_code: "failed",
      error: "Nothing left",
      can_retry: true,
    });
    const crashed = (await client.request("crashes")).response;
    expect(crashed).toMatchObject({ error_code: "internal", error: "Internal Server Error" });
    expect(JSON.stringify(crashed)).not.toContain("secret");
  });

  test("permission is asked on the node, and the RequestInfo says who asks", async () => {
    expect((await client.request("asks", { user: "alice" })).response.result).toBe("for alice");
    expect((await client.request("asks", { user: "bob" })).response.error_code).toBe("permission_denied");
    expect((await client.request("who")).response.result).toMatchObject({ userId: "alice", service: "remote" });
  });

  test("arguments are validated by the gateway before anything is sent", async () => {
    expect((await client.request("when", { at: "yesterday" })).response.error_code).toBe("invalid_argument");
  });

  test("a call that is cancelled aborts its signal on the node", async () => {
    using notes = new Notes();
    const call = client.request("holds", { text: "held" });
    await notes.next("held began");
    client.channel.push("cancel", { request_id: "r1" });
    expect((await call).response.error_code).toBe("cancelled");
    await notes.next("held aborted");
  });

  test("a result of 5 MB arrives whole", async () => {
    const { result } = (await client.request("big", { bytes: 5_000_000 })).response;
    expect((result as string).length).toBe(5_000_000);
  });

  test("with runOn main the node runs it on its own thread", async () => {
    expect((await client.request("on_main")).response.result).toBe(process.pid);
  });

  test("a node that stops in good order lets its calls finish, and the next ones are `unavailable`", async () => {
    using notes = new Notes();
    const call = client.request("waits_for", { text: "go" });
    await notes.next("go began");
    const stopped = node.stop({ drainMs: 10_000 });
    // It has taken its leave when no new call reaches it.
    await until(async () => !(await client.request("echo", { value: 1 })).response.success);
    notes.tell("go");
    expect((await call).response).toMatchObject({ success: true, result: "went" });
    await stopped;
    expect((await client.request("echo", { value: 1 })).response.error_code).toBe("unavailable");
  });
});

test("a host pushes in the name of a node only where it allowed itself to; the functions run on that node", async () => {
  const options = { listen: { port: 0 }, workerPool: { threads: 1 }, cluster: link() } as const;
  const push = { node: "a", service: "remote", functions: remote.functions };
  await using careful = await startGenApi(options);
  await expect(careful.pushConfig(push)).rejects.toMatchObject({ code: "permission_denied" });
  await using gateway = await startGenApi({ logger: false, ...options, adminActions: ["push_config"] });
  expect(await gateway.pushConfig(push)).toMatchObject({ outcome: "accepted", refused: [] });
  expect(await gateway.pushConfig(push)).toMatchObject({ outcome: "skipped" });
  const call = { service: "remote", requestType: "echo", args: { value: 1 } };
  await expect(gateway.call(call)).rejects.toMatchObject({ code: "unavailable" });
  await using _node = await startServiceNode({
    logger: false,
    name: "a",
    functions: [remote],
    workerPool: { threads: 1 },
    pushOnStartup: false,
    cluster: link({ gateways: [urlOf(gateway).replace("/socket", "/node")] }),
  });
  await gateway.nodes.whenUp("a");
  expect(await gateway.call(call)).toBe(1);
});
