// One of the servers that broadcast.bench compares, named by its argument. Everybody who connects is in one room. It sends
// as many messages there as its parent asks for, one in each turn of the event loop.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { startGenApi } from "gen-api";
import { Server } from "socket.io";
import { type WebSocket, WebSocketServer } from "ws";
import { reportTo } from "../measured-process.js";

const topic = "api:bench";
const event = "said";
const payload = { by: "user-1", text: "The quick brown fox jumps over the lazy dog. ".repeat(4), n: 1 };

interface Room {
  readonly port: number;
  send(): void;
}

async function startGateway(): Promise<Room> {
  const gateway = await startGenApi({
    listen: { host: "127.0.0.1", port: 0 },
    socket: { maxConnections: 20_000, maxConnectionsPerAddress: 20_000, idleTimeoutMs: 600_000 },
    channels: [{ topic: "api:*", event: "api" }],
  });
  return { port: gateway.address?.port as number, send: () => gateway.broadcast(topic, event, payload) };
}

/** The least that a program on `ws` can do: it encodes the message once, and sends it to one socket after the other. */
async function startBare(): Promise<Room> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, clientTracking: false });
  const members = new Set<WebSocket>();
  server.on("connection", (ws) => {
    ws.once("message", (data) => {
      const [joinRef, ref] = JSON.parse(data.toString()) as unknown[];
      ws.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: {} }]));
      members.add(ws);
    });
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const send = () => {
    const text = JSON.stringify([null, null, topic, event, payload]);
    for (const ws of members) ws.send(text);
  };
  return { port: (server.address() as AddressInfo).port, send };
}

async function startSocketIo(): Promise<Room> {
  const server = createServer();
  const io = new Server(server, { transports: ["websocket"], serveClient: false, pingInterval: 600_000 });
  io.on("connection", (socket) => void socket.join(topic));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, send: () => io.to(topic).emit(event, payload) };
}

const servers: Record<string, () => Promise<Room>> = {
  gateway: startGateway,
  bare: startBare,
  socketIo: startSocketIo,
};
const room = await servers[process.argv[2] ?? ""]?.();
process.on("message", (messages: unknown) => {
  if (typeof messages !== "number") return;
  const next = (left: number): void => {
    if (left === 0) return;
    room?.send();
    setImmediate(next, left - 1);
  };
  next(messages);
});
reportTo(room?.port);
