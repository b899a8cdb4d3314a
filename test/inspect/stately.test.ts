import { once } from "node:events";
import { createServer } from "node:net";
import { createWebSocketInspector } from "@statelyai/inspect";
import { createInspectorServer } from "@statelyai/inspect/server";
import type { InspectedActor } from "gen-api";
import { afterEach, expect, test } from "vitest";
import WebSocket from "ws";
import { actorOf } from "../../dist/actor/inspection/inspected-actor.js";
import { kill } from "../../dist/actor/lifecycle/exit.js";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";

/** A message of Stately's inspector, as its page receives it. */
interface Message {
  readonly type: "@xstate.actor" | "@xstate.event" | "@xstate.snapshot";
  readonly name?: string;
  readonly sessionId: string;
  readonly parentId?: string;
  readonly rootId?: string;
  readonly definition?: string;
  readonly event?: { readonly type: string };
  readonly snapshot?: { readonly status: string; readonly context?: object; readonly error?: { message: string } };
}

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** The package's own relay with a page's socket at its one end and the inspector at the other. */
async function startStately() {
  const port = await freePort();
  const relay = createInspectorServer({ port, autoOpen: false });
  closing.push(() => relay.stop());
  const url = `ws://127.0.0.1:${port}`;
  const page = new WebSocket(url);
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  page.on("message", (data) => {
    messages.push(JSON.parse(String(data)));
    for (const look of waiting) look();
  });
  await once(page, "open");
  const inspector = createWebSocketInspector({ url });
  closing.push(() => {
    inspector.stop();
    page.close();
    return once(page, "close");
  });
  /** The first message that matches, come or to come. */
  const message = (matches: (message: Message) => boolean) =>
    new Promise<Message>((resolve) => {
      const look = () => {
        const found = messages.find(matches);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { inspector, messages, message };
}

test("Stately's inspector sees the whole tree, a connection with its channel, a crash and the restart", async () => {
  const { inspector, messages, message } = await startStately();
  const actors: InspectedActor[] = [];
  const gateway = await startTestGateway({ inspect: inspector.inspect });
  closing.push(() => gateway.stop());
  gateway.inspect(({ type, actorRef }) => {
    if (type === "@xstate.actor") actors.push(actorRef);
  });
  const listener = await message(({ type, name }) => type === "@xstate.actor" && name === "listener");
  const root = await message(({ type, name }) => type === "@xstate.actor" && name === "gen_api");
  expect(listener).toMatchObject({ parentId: root.sessionId, rootId: root.sessionId });
  expect(JSON.parse(listener.definition ?? "")).toEqual({ id: "listener", description: "resource" });

  const client = await connectClient(urlOf(gateway), { params: { user_id: "u1" } });
  closing.push(() => client.close());
  const channel = await message(({ type, name }) => type === "@xstate.actor" && name?.startsWith("api:lobby") === true);
  expect(channel.parentId).toBe(actors.find(({ path }) => path.startsWith("gen_api/connections/"))?.sessionId);

  const cache = actors.find(({ name }) => name === "config_cache")!;
  kill(actorOf(cache), new Error("by the operator"));
  const crash = await message(
    ({ sessionId, snapshot }) => sessionId === cache.sessionId && snapshot?.status === "error",
  );
  expect(crash.snapshot?.error?.message).toBe("by the operator");
  const again = await message(
    ({ type, name, sessionId }) => type === "@xstate.actor" && name === "config_cache" && sessionId !== cache.sessionId,
  );
  expect(messages.indexOf(again)).toBeGreaterThan(messages.indexOf(crash));
  const supervisor = await message(
    ({ type, sessionId, event }) =>
      type === "@xstate.snapshot" && sessionId === root.sessionId && event?.type === "xstate.error.actor.config_cache",
  );
  expect(supervisor.snapshot?.context).toMatchObject({
    restartsInPeriod: 1,
    children: expect.arrayContaining([{ id: "config_cache", status: "running", restarts: 1 }]),
  });
});

test("attached while the gateway runs, it sees those that live; detached, it hears nothing more", async () => {
  const gateway = await startTestGateway();
  closing.push(() => gateway.stop());
  const { inspector, messages, message } = await startStately();
  const detach = gateway.inspect({
    observer: inspector.inspect,
    filter: ({ path }) => !path.startsWith("gen_api/worker_pools/"),
  });
  const listener = await message(({ type, name }) => type === "@xstate.actor" && name === "listener");
  expect(listener.snapshot).toMatchObject({ status: "active", context: { connections: 0 } });
  const names = messages.flatMap(({ type, name }) => (type === "@xstate.actor" && name !== undefined ? [name] : []));
  expect(names).toContain("worker_pools");
  expect(names).not.toContain("async_pool");
  detach();
  await gateway.configCache.clear();
  // The inspector converts what it hears in a turn of its own: had it heard of this, it would tell that first.
  await new Promise((resolve) => setTimeout(resolve));
  inspector.actor("last");
  await message(({ sessionId }) => sessionId === "last");
  expect(messages.filter(({ event }) => event?.type === "gen_server.call")).toEqual([]);
});
