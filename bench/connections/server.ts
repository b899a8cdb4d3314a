// One of the servers that connections.bench compares, named by its argument. It tells its parent its port, and then,
// each time the parent asks, what it holds.
import type { AddressInfo } from "node:net";
import { startGenApi } from "gen-api";
import { WebSocketServer } from "ws";

/** What a server holds when it has collected its garbage, in bytes, and the CPU time that it has used, in µs. */
export interface Footprint {
  readonly heap: number;
  readonly rss: number;
  readonly cpuMicros: number;
}

/** The least that a program on `ws` can do for a join: it answers it, and keeps nothing. */
async function startBareServer(): Promise<number> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, clientTracking: false });
  server.on("connection", (ws) => {
    ws.on("message", (data) => {
      const [joinRef, ref, topic] = JSON.parse(data.toString()) as unknown[];
      ws.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: {} }]));
    });
  });
  await new Promise((resolve) => server.once("listening", resolve));
  return (server.address() as AddressInfo).port;
}

async function startGateway(): Promise<number> {
  const gateway = await startGenApi({
    listen: { host: "127.0.0.1", port: 0 },
    socket: {
      connect: () => ({ userId: "user-1" }),
      maxConnections: 20_000,
      maxConnectionsPerAddress: 20_000,
      idleTimeoutMs: 600_000,
    },
    channels: [{ topic: "api:*", event: "api" }],
  });
  return gateway.address?.port as number;
}

async function footprint(): Promise<Footprint> {
  const { user, system } = process.cpuUsage();
  // What one collection finds dead may be all that held something else: sockets close in steps.
  for (let collection = 0; collection < 5; collection++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, rss, cpuMicros: user + system };
}

const servers: Record<string, () => Promise<number>> = { bare: startBareServer, gateway: startGateway };
process.on("message", async () => process.send?.(await footprint()));
process.on("disconnect", () => process.exit());
process.send?.(await servers[process.argv[2] ?? ""]?.());
