// One of the servers that socket.bench compares, named by its argument. It tells its parent its port, then, each time
// it is asked, the CPU time that its process has used, threads included, in microseconds.
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { startGenApi } from "gen-api";
import { type WebSocket, WebSocketServer } from "ws";
import { createPost, type Post, posts } from "./socket-service.js";

type Frame = [joinRef: string, ref: string, topic: string, event: string, payload: Payload];

interface Payload {
  readonly request_id: string;
  readonly request_type: string;
  readonly args: Post;
}

/**
 * The least that a program on `ws` can do for the same answers: no topics, no checks, no table of functions. It corks
 * each socket once for all that it answers together, and lets `uncorkSoon` say when that leaves, in one system call.
 */
async function startFloor(uncorkSoon: (uncork: () => void) => void): Promise<number> {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: false,
    clientTracking: false,
  });
  server.on("connection", (ws, request) => serve(ws, request.socket, uncorkSoon));
  await new Promise((resolve) => server.once("listening", resolve));
  return (server.address() as AddressInfo).port;
}

function serve(ws: WebSocket, socket: Duplex, uncorkSoon: (uncork: () => void) => void): void {
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    socket.uncork();
  };
  ws.on("message", (data) => {
    const [joinRef, ref, topic, event, payload] = JSON.parse(data.toString()) as Frame;
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      uncorkSoon(uncork);
    }
    if (event === "phx_join") {
      ws.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: {} }]));
      return;
    }
    const response = {
      request_id: payload.request_id,
      result: createPost(payload.args),
      success: true,
      error: null,
      async: false,
      has_more: false,
      can_retry: false,
    };
    ws.send(JSON.stringify([joinRef, null, topic, event, response]));
    ws.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: payload.request_type }]));
  });
}

async function startGateway(runOn: "main" | "worker"): Promise<number> {
  const gateway = await startGenApi({
    listen: { host: "127.0.0.1", port: 0 },
    socket: { connect: () => ({ userId: "user-1" }) },
    channels: [{ topic: "api:*", event: "api" }],
    modules: { posts: posts.url as string },
    functions: posts.functions.map((config) => ({ ...config, runOn })),
  });
  return gateway.address?.port as number;
}

const servers: Record<string, () => Promise<number>> = {
  floorTick: () => startFloor(process.nextTick),
  floorTurn: () => startFloor(setImmediate),
  main: () => startGateway("main"),
  worker: () => startGateway("worker"),
};
const port = await servers[process.argv[2] ?? ""]?.();
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.on("disconnect", () => process.exit());
process.send?.(port);
