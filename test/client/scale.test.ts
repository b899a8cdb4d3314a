import { connect } from "gen-api/client";
import { Socket } from "phoenix";
import { expect, test } from "vitest";
import WebSocket from "ws";
import type service from "../fixtures/client/service.js";
import { collectGarbage } from "../support/heap.ts";
import { GatewayProcess } from "../support/processes/gateway-process.ts";
import { openClient } from "./open-client.ts";

const startGateway = (port = 0) => GatewayProcess.start({ port }, "client/gateway.js");

test("nothing grows with the number of past calls and streams", async () => {
  await using gateway = await startGateway();
  const socket = new Socket(gateway.url, { transport: WebSocket as never });
  const client = connect<[typeof service]>(socket);
  const round = async (calls: number) => {
    for (let done = 0; done < calls; done += 100) {
      const added = Array.from({ length: 99 }, (_, n) => client.api.test.add({ a: done, b: n }));
      const failed = client.api.test.fail({}, { timeoutMs: 60_000, signal }).catch(() => "failed");
      for await (const _ of client.api.test.count({ to: 3 }, { signal })) break;
      await Promise.all([...added, failed]);
    }
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const { signal } = new AbortController();
  const listeners = () => (client.channel as never as { bindings: unknown[] }).bindings.length;
  const before = await round(10_000);
  const bindings = listeners();
  const after = await round(100_000);
  console.log(`${Math.round((after - before) / 1_024)} KB more after 100 000 calls`);
  expect(after - before).toBeLessThan(1_000_000);
  expect(listeners()).toBe(bindings);
  client.close();
  socket.disconnect();
});

test("1 000 clients come back to a gateway that was killed, and their calls are answered", async () => {
  let gateway = await startGateway();
  const clients = Array.from({ length: 1_000 }, () => openClient(gateway.url, { waitMs: 100_000 }));
  try {
    const sums = () => Promise.all(clients.map((client, n) => client.api.test.add({ a: n, b: 1 })));
    await sums();
    const pending = clients.map((client) => client.api.test.wait().catch(({ code }) => code));
    await clients[0]?.api.test.add({ a: 1, b: 1 });
    await gateway.kill();
    expect(new Set(await Promise.all(pending))).toEqual(new Set(["disconnected"]));
    const waiting = sums();
    const start = performance.now();
    gateway = await startGateway(gateway.port);
    expect(await waiting).toEqual(clients.map((_, n) => n + 1));
    console.log(`all answered ${Math.round(performance.now() - start)} ms after the start of the next one`);
  } finally {
    for (const client of clients) client.close();
    await gateway[Symbol.asyncDispose]();
  }
});
