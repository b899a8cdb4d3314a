// A program with one of the clients that client.bench compares: named by its first argument; the second is the port.
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { connect } from "gen-api/client";
import { io } from "socket.io-client";
import WebSocket from "ws";
import type { Post, posts } from "../socket/socket-service.js";

type Call = (post: Post) => Promise<unknown>;

const [, , name = "", port] = process.argv;

function withGenApi(): Call {
  const { api } = connect<[typeof posts]>(`ws://127.0.0.1:${port}/socket`, { transport: WebSocket });
  return (post) => api.posts.create_post(post);
}

function withTrpc(): Call {
  const ws = createWSClient({ url: `ws://127.0.0.1:${port}`, WebSocket });
  const client = createTRPCClient({ links: [wsLink({ client: ws })] });
  return (post) => client.createPost.mutate(post);
}

function withSocketIo(): Call {
  const socket = io(`ws://127.0.0.1:${port}`, { transports: ["websocket"] });
  return async (post) => {
    const { result, error } = await socket.emitWithAck("create_post", post);
    if (error !== undefined) throw new Error(error);
    return result;
  };
}

const clients: Record<string, () => Call> = {
  push: withGenApi,
  reply: withGenApi,
  trpc: withTrpc,
  socketIo: withSocketIo,
};
const call = clients[name]?.() as Call;

/** Keeps so many calls in flight for so long. @returns how many were answered, and the CPU time they took here */
async function run(inFlight: number, ms: number): Promise<{ calls: number; seconds: number; cpuMicros: number }> {
  const cpu = process.cpuUsage();
  const from = performance.now();
  let calls = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < from + ms) {
      const result = (await call({ title: "Supervision trees on XState", likes: 41, published: true })) as {
        id: number;
      };
      if (result.id !== 42) throw new Error(`An unexpected result: ${JSON.stringify(result)}`);
      calls++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const { user, system } = process.cpuUsage(cpu);
  return { calls, seconds: (performance.now() - from) / 1_000, cpuMicros: user + system };
}

process.on("message", async ({ inFlight, ms }: { inFlight: number; ms: number }) => {
  process.send?.(await run(inFlight, ms));
});
process.on("disconnect", () => process.exit());
await run(1, 50);
process.send?.("ready");
