import { type Gateway, type ServiceNode, startGenApi, startServiceNode, type TreeNode } from "gen-api";
import { link } from "gen-api/link";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AnyActorRef } from "xstate";
import { kill } from "../../dist/actor/lifecycle/exit.js";
import remote from "../fixtures/cluster/service.js";
import { urlOf } from "../support/gateway.ts";
import { named, watchActors } from "../support/living-actors.ts";
import { Notes } from "../support/notes.ts";
import { type Client, connectClient } from "../support/phoenix-client.ts";

let gateway: Gateway;
let node: ServiceNode;
let client: Client;
let closes: number;
let ofGateway: ReturnType<typeof watchActors>;
let ofNode: ReturnType<typeof watchActors>;

beforeEach(async () => {
  ofGateway = watchActors();
  ofNode = watchActors();
  const intensity = { maxRestarts: 1_000, withinMs: 1_000 };
  gateway = await startGenApi({
    logger: false,
    listen: { port: 0 },
    channels: [{ topic: "api:*", event: "api" }],
    workerPool: { threads: 1 },
    cluster: link(),
    serviceConfigs: [{ service: "pulled", nodes: ["nobody"] }],
    intensity,
    inspect: ofGateway.inspect,
  });
  node = await startServiceNode({
    logger: false,
    name: "a",
    functions: [remote],
    workerPool: { threads: 1 },
    cluster: link({ gateways: [urlOf(gateway).replace("/socket", "/node")] }),
    intensity,
    inspect: ofNode.inspect,
  });
  await node.connected();
  client = await connectClient(urlOf(gateway), { service: "remote" });
  closes = 0;
  client.socket.onClose(() => {
    closes++;
  });
});
afterEach(async () => {
  await client.close();
  await node.stop();
  await gateway.stop();
});

function namesIn(tree: TreeNode): string[] {
  return [...(tree.name === null ? [] : [tree.name]), ...tree.children.flatMap(namesIn)];
}

/** A call that is under way on the node while `victim` is killed. @returns how it ended */
async function killDuringCall(victim: AnyActorRef | undefined): Promise<string> {
  using notes = new Notes();
  const call = client.request("waits_for", { text: "go" });
  await notes.next("go began");
  kill(victim as AnyActorRef);
  notes.tell("go");
  const { response } = await call;
  return response.error_code ?? "ok";
}

/** The node's functions are reached again, by themselves. */
async function works(): Promise<void> {
  let answer = await client.request("echo", { value: "again" });
  while (answer.response.error_code === "unavailable") answer = await client.request("echo", { value: "again" });
  expect(answer.response.result).toBe("again");
  expect(closes).toBe(0);
}

describe("an actor of the gateway's that has to do with nodes is killed while a node runs a client's call:", () => {
  // Those that hold the session with the node lose its calls; nobody loses a client's connection.
  const expected = {
    node_selector: "ok",
    config_cache: "ok",
    node_monitor: "ok",
    config_sync: "ok",
    config_puller: "ok",
    config_receiver: "ok",
    nodes: "unavailable",
    node_sessions: "unavailable",
    node_transport: "unavailable",
  };

  test("the list is the tree's", () => {
    const others = ["rate_limiter", "worker_pools", "async_pool", "stream_pool", "streams", "connections", "listener"];
    expect(namesIn(gateway.tree()).toSorted()).toEqual([...Object.keys(expected), ...others].toSorted());
  });

  test.each(Object.entries(expected))("%s", async (name, outcome) => {
    for (let round = 0; round < 3; round++) {
      const [victim] = ofGateway.living(named(name));
      expect(await killDuringCall(victim)).toBe(outcome);
      await works();
    }
  });
});

describe("an actor of the node's is killed while it runs a call:", () => {
  const expected = {
    gateway_sessions: "unavailable",
    node_transport: "unavailable",
    worker_pools: "unavailable",
    async_pool: "unavailable",
    stream_pool: "ok",
  };

  test("the list is the tree's", () => {
    expect(namesIn(node.tree()).toSorted()).toEqual(Object.keys(expected).toSorted());
  });

  test.each(Object.entries(expected))("%s", async (name, outcome) => {
    for (let round = 0; round < 3; round++) {
      const [victim] = ofNode.living(named(name));
      expect(await killDuringCall(victim)).toBe(outcome);
      await works();
    }
  });
});

test("one session of two that is killed costs the other's calls nothing", async () => {
  await using second = await startServiceNode({
    logger: false,
    name: "b",
    functions: [remote],
    workerPool: { threads: 1 },
    cluster: link({ gateways: [urlOf(gateway).replace("/socket", "/node")] }),
  });
  await second.connected();
  using notes = new Notes();
  const [session] = ofGateway.living(({ id }) => id.startsWith("node_session_"));
  // One after the other: one call on each node.
  const calls = [client.request("waits_for", { text: "one" }), client.request("waits_for", { text: "two" })];
  await Promise.all([notes.next("one began"), notes.next("two began")]);
  kill(session as AnyActorRef);
  for (const text of ["one", "two"]) notes.tell(text);
  const outcomes = (await Promise.all(calls)).map(({ response }) => response.error_code ?? "ok");
  expect(outcomes.toSorted()).toEqual(["ok", "unavailable"]);
  await works();
});
