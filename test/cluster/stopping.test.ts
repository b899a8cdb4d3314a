import { once } from "node:events";
import { link } from "gen-api/link";
import { nats } from "gen-api/nats";
import { describe, expect, test } from "vitest";
import remote from "../fixtures/cluster/service.js";
import { connect, keep, nextEvent, startGateway, startNode, startNodeProcess } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { NatsServer } from "../support/nats/nats-server.ts";
import { Notes } from "../support/notes.ts";

const small = { threads: 1, asyncPoolSize: 1 };

describe("a node that stops", () => {
  test.each([
    ["without a time for its calls", {}],
    ["whose time is over", { drainMs: 50 }],
  ])(
    "%s answers what runs `unavailable`, and what waits in its queue runs on another node, once",
    async (_name, options) => {
      using notes = new Notes();
      const gateway = await startGateway();
      const nodes = [];
      for (const name of ["a", "b"]) {
        nodes.push(await startNode([gateway], { name, functions: [remote], workerPool: small }));
      }
      await Promise.all(nodes.map((node) => node.connected()));
      const inFlight = () => gateway.nodes.list().map((node) => node.inFlight);
      const client = await connect(urlOf(gateway));
      const running = client.request("waits_for", { text: "held" });
      await notes.next("held began");
      const at = inFlight().indexOf(1);
      // Random selection: until some of them wait behind it.
      const queued: ReturnType<typeof client.request>[] = [];
      while ((inFlight()[at] ?? 0) < 4) {
        queued.push(client.request("echo", { value: queued.length }));
        await new Promise((resolve) => setImmediate(resolve));
      }

      const began = performance.now();
      await nodes[at]?.stop(options);
      // The function's own timeout is 60 s.
      expect(performance.now() - began).toBeLessThan(30_000);
      expect((await running).response).toMatchObject({ success: false, error_code: "unavailable", can_retry: true });
      const answers = await Promise.all(queued);
      expect(answers.map(({ response }) => response.result)).toEqual(queued.map((_, value) => value));
    },
  );
});

describe("a gateway that stops", () => {
  test("keeps its nodes until the calls that run on them have ended", async () => {
    using notes = new Notes();
    const gateway = await startGateway();
    const node = await startNode([gateway], { name: "a", functions: [remote] });
    await node.connected();
    const client = await connect(urlOf(gateway));
    const call = client.request("waits_for", { text: "held" });
    await notes.next("held began");
    const order: string[] = [];
    const down = nextEvent("node.down").then(() => order.push("the node goes"));
    const stopped = gateway.stop({ drainMs: 20_000 });
    notes.tell("held");
    expect((await call).response).toMatchObject({ success: true, result: "went" });
    order.push("the answer comes");
    await Promise.all([stopped, down]);
    expect(order).toEqual(["the answer comes", "the node goes"]);
  });

  test.each(["a link", "NATS"])("answers over %s every request that came before its close", async (way) => {
    const server = way === "NATS" ? keep(await NatsServer.start()) : null;
    const cluster = server === null ? link() : nats({ servers: server.url, signingKey: "k".repeat(32) });
    const gateway = await startGateway({ cluster });
    await startNodeProcess([gateway], { name: "a", ...(server === null ? {} : { servers: server.url }) });
    // Raw, since an official client sends nothing any more once it was notified.
    const { default: WebSocket } = await import("ws");
    const socket = new WebSocket(`${urlOf(gateway)}/websocket?vsn=2.0.0`);
    await once(socket, "open");
    const sent = new Set<string>();
    const answered: string[] = [];
    socket.on("message", (data) => {
      const [, , , event, payload] = JSON.parse(String(data)) as [null, null, string, string, { request_id?: string }];
      if (event === "api" && payload.request_id !== undefined) answered.push(payload.request_id);
    });
    socket.send(JSON.stringify(["1", "1", "api:lobby", "phx_join", {}]));
    const closed = once(socket, "close");
    let isClosed = false;
    closed.then(() => {
      isClosed = true;
    });
    let stopped: Promise<unknown> | undefined;
    while (!isClosed) {
      const id = `r${sent.size}`;
      const request = { service: "remote", request_type: "echo", request_id: id, args: { value: id } };
      socket.send(JSON.stringify(["1", id, "api:lobby", "api", request]));
      sent.add(id);
      // It sends on while the gateway stops, and ends before that closes: what is on its way then was not received.
      if (answered.length > 500) stopped ??= gateway.stop({ drainMs: 5_000 });
      if (stopped !== undefined && answered.length > 700) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    await stopped;
    expect(new Set(answered).size).toBe(answered.length);
    expect([...sent].filter((id) => !answered.includes(id))).toEqual([]);
  });
});
