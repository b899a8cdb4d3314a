import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { collectGarbage } from "../support/heap.ts";
import { frame, upgraded } from "../support/network/hand-made-frames.ts";
import { openGateway } from "./open-gateway.ts";

const sockets = 1_000;
const join = frame(1, Buffer.from(JSON.stringify(["1", "1", "api:a", "phx_join", {}])));

async function joined(url: string): Promise<Socket> {
  const socket = await upgraded(url);
  socket.write(join);
  await once(socket, "data");
  return socket;
}

/** What the heap of this process, clients and server, has more for each of many idle clients that have joined; bytes. */
async function heapOfEach(url: string): Promise<number> {
  // Code is compiled and tables grow at the first ones.
  const first = await Promise.all(Array.from({ length: 100 }, () => joined(url)));
  const before = await heapUsed();
  const clients: Socket[] = [];
  while (clients.length < sockets) {
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => joined(url)))));
  }
  const each = ((await heapUsed()) - before) / sockets;
  for (const client of [...first, ...clients]) client.destroy();
  return each;
}

async function heapUsed(): Promise<number> {
  // What one collection finds dead may be all that held something else.
  for (let collection = 0; collection < 3; collection++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

test("An idle client of one channel costs less than five kilobytes of heap more than at a bare ws server", async () => {
  const bare = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, clientTracking: false });
  bare.on("connection", (ws) => {
    ws.on("message", () => ws.send('["1","1","api:a","phx_reply",{"status":"ok","response":{}}]'));
  });
  await once(bare, "listening");
  const least = await heapOfEach(`ws://127.0.0.1:${(bare.address() as AddressInfo).port}`);
  bare.close();
  await using gateway = await openGateway({ maxConnectionsPerAddress: 2 * sockets });
  const more = (await heapOfEach(gateway.url)) - least;
  expect(more).toBeLessThan(5 * 1_024);
});
