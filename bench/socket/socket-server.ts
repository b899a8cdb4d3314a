// One of the servers that socket.bench compares, named by its argument.
import { startGenApi } from "gen-api";
import { startFloor } from "../floor-server.js";
import { reportTo } from "../measured-process.js";
import { createPost, posts } from "./socket-service.js";

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
  floorTick: () => startFloor(({ args }) => createPost(args), process.nextTick),
  floorTurn: () => startFloor(({ args }) => createPost(args), setImmediate),
  main: () => startGateway("main"),
  worker: () => startGateway("worker"),
};
reportTo(await servers[process.argv[2] ?? ""]?.());
