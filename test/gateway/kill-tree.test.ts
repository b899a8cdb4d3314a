import type { Gateway, TreeNode } from "gen-api";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AnyActorRef } from "xstate";
import { kill } from "../../dist/actor/lifecycle/exit.js";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { named, watchActors } from "../support/living-actors.ts";
import { Notes } from "../support/notes.ts";
import { type Answer, type Client, connectClient } from "../support/phoenix-client.ts";

/** A gateway whose actors the test can reach. */
async function startInspected() {
  const { inspect, living } = watchActors();
  return { gateway: await startTestGateway({ inspect }), living };
}

// One for all: its intensity allows for every kill.
let gateway: Gateway;
let living: Awaited<ReturnType<typeof startInspected>>["living"];
beforeAll(async () => {
  ({ gateway, living } = await startInspected());
});
afterAll(() => gateway.stop());

let notes: Notes;
const clients: Client[] = [];
beforeEach(() => {
  notes = new Notes();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  notes[Symbol.dispose]();
});

async function connect() {
  const client = await connectClient(urlOf(gateway));
  clients.push(client);
  let closes = 0;
  client.socket.onClose(() => {
    closes++;
  });
  return { client, closes: () => closes };
}

/** Every actor of the tree that is registered under a name. */
function namesIn(node: TreeNode): string[] {
  return [...(node.name === null ? [] : [node.name]), ...node.children.flatMap(namesIn)];
}

/** Calls that are under way on a connection, one on each thread kind; `finish` lets them end. */
async function underWay({ client }: { client: Client }) {
  const answers: Answer[] = [];
  const track = (answer: Promise<Answer>) => answer.then((came) => answers.push(came));
  const onMain = track(client.request("wait_on_main"));
  const onWorker = track(client.request("waits", { text: "go" }));
  await notes.next("go began");
  return {
    async finish() {
      notes.tell("go");
      await client.request("release_on_main");
      await Promise.all([onMain, onWorker]);
      return Object.fromEntries(answers.map(({ response, reply }) => [reply.response, response.error_code ?? "ok"]));
    },
  };
}

describe("every named actor is killed in turn while requests of other connections run:", () => {
  const expected = {
    rate_limiter: { wait_on_main: "ok", waits: "ok" },
    node_selector: { wait_on_main: "ok", waits: "ok" },
    stream_pool: { wait_on_main: "ok", waits: "ok" },
    streams: { wait_on_main: "ok", waits: "ok" },
    config_cache: { wait_on_main: "ok", waits: "ok" },
    worker_pools: { wait_on_main: "ok", waits: "unavailable" },
    async_pool: { wait_on_main: "ok", waits: "unavailable" },
    listener: { wait_on_main: "ok", waits: "ok" },
  };

  test("the list is the tree's", async () => {
    expect(namesIn(gateway.tree()).toSorted()).toEqual([...Object.keys(expected), "connections"].toSorted());
  });

  test.each(Object.entries(expected))("%s", async (name, outcome) => {
    const bystander = await connect();
    for (let round = 0; round < 3; round++) {
      const calls = await underWay(bystander);
      // Answered: the calls before it on the same socket have begun.
      await bystander.client.request("on_main", { msg: 1 });
      const [victim] = living(named(name));
      kill(victim as AnyActorRef);
      expect(await calls.finish()).toEqual(outcome);
      expect((await bystander.client.request("echo", { msg: round })).response.result).toBe(round);
      expect(bystander.closes()).toBe(0);
      expect(living(named(name))).not.toContain(victim);
    }
    const newcomer = await connect();
    expect((await newcomer.client.request("add", { a: 1, b: 1 })).response.result).toBe(2);
    expect(gateway.configCache.count).toBeGreaterThan(5);
  });

  test("connections: they are their clients' ancestor, so all sockets close, and the clients come back", async () => {
    const bystander = await connect();
    const reopened = new Promise<void>((resolve) => bystander.client.socket.onOpen(() => resolve()));
    const [victim] = living(named("connections"));
    kill(victim as AnyActorRef);
    await reopened;
    expect(bystander.closes()).toBe(1);
    expect((await bystander.client.request("echo", { msg: "back" })).response.result).toBe("back");
  });
});

describe("a connection", () => {
  test("that is killed closes its own socket, aborts its own calls, and nobody else notices", async () => {
    const victim = await connect();
    const bystander = await connect();
    const calls = await underWay(bystander);
    await bystander.client.request("on_main", { msg: 1 });
    const [first] = living(({ id }) => /^connection_\d+$/.test(id));
    const closed = new Promise<void>((resolve) => victim.client.socket.onClose(() => resolve()));
    kill(first as AnyActorRef);
    await closed;
    expect(await calls.finish()).toEqual({ wait_on_main: "ok", waits: "ok" });
    expect(bystander.closes()).toBe(0);
  });

  test("one of whose channels is killed keeps the other channel's calls", async () => {
    const one = await connect();
    const calls = await underWay(one);
    await one.client.request("on_main", { msg: 1 });
    const second = one.client.socket.channel("api:second");
    await new Promise((resolve) => second.join().receive("ok", resolve));
    const crashed = new Promise<unknown>((resolve) => second.onError(resolve));
    const [victim] = living(({ id }) => id.startsWith("api:second"));
    kill(victim as AnyActorRef);
    expect(await crashed).toEqual({ reason: "channel_crash" });
    expect(await calls.finish()).toEqual({ wait_on_main: "ok", waits: "ok" });
    expect(one.closes()).toBe(0);
  });
});
