// One of the programs of idle.bench, named by the first argument: a gateway or a service node that nobody calls. The
// second argument is where its gateway, or its NATS server, is. For each message of the parent it tells what it has used.
import { startGenApi, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { nats } from "gen-api/nats";
import { posts } from "../socket/socket-service.js";

/** What a process has used since it started, all its threads together. */
export interface Used {
  readonly cpuMicros: number;
  /** How often a thread slept until something woke it. */
  readonly wakeUps: number;
}

const [variant = "", address = ""] = process.argv.slice(2);
const listen = { host: "127.0.0.1", port: 0 };
// Silent clients stay for the whole measurement.
const options = {
  listen,
  socket: { idleTimeoutMs: 600_000 },
  channels: [{ topic: "api:*", event: "api" }],
  functions: [posts],
};

async function gateway(more: Parameters<typeof startGenApi>[0] = {}): Promise<number | undefined> {
  return (await startGenApi({ ...options, ...more })).address?.port;
}

async function node(cluster: ReturnType<typeof link>): Promise<void> {
  const started = await startServiceNode({ name: "posts@127.0.0.1", functions: [posts], cluster });
  await started.connected();
}

const overNats = () =>
  nats({ servers: address, prefix: "idle", bucket: "idle", signingKey: "a key that nobody else needs to know" });

const programs: Record<string, () => Promise<unknown>> = {
  // The least that a program can cost: Node itself, with a listener.
  bare: () => import("../floor-server.js").then(({ startFloor }) => startFloor(() => null, setImmediate)),
  gateway: () => gateway(),
  admin: () => gateway({ admin: { listen, token: "nobody-else-knows-it" } }),
  silent: () => gateway(),
  heartbeats: () => gateway(),
  link: () => gateway({ functions: [], cluster: link({ path: "/node" }) }),
  nats: () => gateway({ functions: [], cluster: overNats() }),
  linkNode: () => node(link({ gateways: [address] })),
  natsNode: () => node(nats({ servers: address, prefix: "idle" })),
};

process.on("message", () => {
  const { userCPUTime, systemCPUTime, voluntaryContextSwitches } = process.resourceUsage();
  const used: Used = { cpuMicros: userCPUTime + systemCPUTime, wakeUps: voluntaryContextSwitches };
  process.send?.(used);
});
process.on("disconnect", () => process.exit());
process.send?.((await programs[variant]?.()) ?? "ready");
