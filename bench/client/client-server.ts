// One of the servers that client.bench compares, named by its argument. Each checks the same arguments, and then runs the
// same function on its own thread.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { initTRPC } from "@trpc/server";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { startGenApi } from "gen-api";
import { Server } from "socket.io";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { reportTo } from "../measured-process.js";
import { createPost, posts } from "../socket/socket-service.js";

const post = z.strictObject({ title: z.string().max(200), likes: z.number(), published: z.boolean() });

async function startGateway(replyMode: "push" | "reply"): Promise<number | undefined> {
  const gateway = await startGenApi({
    listen: { host: "127.0.0.1", port: 0 },
    socket: { connect: () => ({ userId: "user-1" }) },
    channels: [{ topic: "api:*", event: "api", replyMode }],
    functions: posts.functions.map((config) => ({ ...config, runOn: "main" as const })),
    modules: { posts: posts.url as string },
  });
  return gateway.address?.port;
}

async function startTrpc(): Promise<number> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise((resolve) => server.once("listening", resolve));
  const { router, procedure } = initTRPC.create();
  const createPostProcedure = procedure.input(post).mutation(({ input }) => createPost(input));
  applyWSSHandler({ wss: server, router: router({ createPost: createPostProcedure }) });
  return (server.address() as AddressInfo).port;
}

async function startSocketIo(): Promise<number> {
  const server = createServer();
  const io = new Server(server, { transports: ["websocket"], serveClient: false, pingInterval: 600_000 });
  io.on("connection", (socket) => {
    socket.on("create_post", (args, acknowledge) => {
      const parsed = post.safeParse(args);
      acknowledge(parsed.success ? { result: createPost(parsed.data) } : { error: parsed.error.message });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const servers: Record<string, () => Promise<number | undefined>> = {
  push: () => startGateway("push"),
  reply: () => startGateway("reply"),
  trpc: startTrpc,
  socketIo: startSocketIo,
};
reportTo(await servers[process.argv[2] ?? ""]?.());
