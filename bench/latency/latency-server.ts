// One of the servers that latency.bench compares, named by its argument. All call the same function.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { startGenApi } from "gen-api";
import { ServiceBroker } from "moleculer";
import { Server } from "socket.io";
import { type Payload, startFloor } from "../floor-server.js";
import { reportTo } from "../measured-process.js";
import { createPost, type Post, posts } from "../socket/socket-service.js";

async function startGateway(runOn: "main" | "worker"): Promise<number | undefined> {
  const gateway = await startGenApi({
    listen: { host: "127.0.0.1", port: 0 },
    socket: { connect: () => ({ userId: "user-1" }), idleTimeoutMs: 600_000 },
    channels: [{ topic: "api:*", event: "api" }],
    functions: posts.functions.map((config) => ({ ...config, runOn })),
    modules: { posts: posts.url as string },
  });
  return gateway.address?.port;
}

/** Each request is acknowledged with the Response that the gateway would push. */
async function startSocketIo(): Promise<number> {
  const server = createServer();
  // The load answers no pings: none is sent while it runs.
  const io = new Server(server, { transports: ["websocket"], serveClient: false, pingInterval: 600_000 });
  io.on("connection", (socket) => {
    socket.on("api", ({ request_id, args }: Payload, acknowledge) => {
      const result = createPost(args);
      acknowledge({ request_id, result, success: true, error: null, async: false, has_more: false, can_retry: false });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** A call within the process, behind the floor's server. */
async function startMoleculer(): Promise<number> {
  const broker = new ServiceBroker({ nodeID: "local", logger: false, validator: false, internalServices: false });
  broker.createService({
    name: "posts",
    actions: { create_post: ({ params }: { params: Post }) => createPost(params) },
  });
  await broker.start();
  const call = ({ service, request_type, args }: Payload) => broker.call(`${service}.${request_type}`, args);
  return startFloor(call, process.nextTick);
}

const servers: Record<string, () => Promise<number | undefined>> = {
  floor: () => startFloor(({ args }) => createPost(args), process.nextTick),
  main: () => startGateway("main"),
  worker: () => startGateway("worker"),
  socketIo: startSocketIo,
  moleculer: startMoleculer,
};
reportTo(await servers[process.argv[2] ?? ""]?.());
