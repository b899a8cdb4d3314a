import { type Client, connect } from "gen-api/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { GatewayProcesses } from "../cluster/across/gateway-processes.ts";
import type service from "../fixtures/across/service.js";
import { NatsServer } from "../support/nats/nats-server.ts";
import { TcpBalancer } from "../support/network/tcp-balancer.ts";
import { until } from "../support/until.ts";

type Started = Awaited<ReturnType<GatewayProcesses["start"]>>;

let server: NatsServer;
let processes: GatewayProcesses;
let first: Started;
let second: Started;
let balancer: TcpBalancer | undefined;
let client: Client<[typeof service]>;

beforeAll(async () => {
  server = await NatsServer.start();
  processes = new GatewayProcesses(server);
  [first, second] = await Promise.all([processes.start(), processes.start()]);
}, 60_000);
afterAll(async () => {
  await processes[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
afterEach(async () => {
  client.close();
  await balancer?.[Symbol.asyncDispose]();
});

/** A client whose first connection reaches this gateway, the next one the second, and so on. */
async function open(gateway: Started): Promise<void> {
  balancer = await TcpBalancer.start([gateway.process.port, second.process.port]);
  client = connect(`ws://127.0.0.1:${balancer.port}/socket`, { transport: WebSocket, params: { user_id: "u1" } });
}

/** Who has executed it, and with which result. */
const runsOf = (name: string) => processes.runs.filter((run) => run.name === name);
const begun = (name: string) => until(() => runsOf(name).length === 1);

describe("a client of two gateways behind one address", () => {
  test("has its call run once when its connection is lost, and its result from the other gateway", async () => {
    await open(first);
    const call = client.api.across.on_worker({ name: "lost", ms: 1_000 }, { idempotent: true });
    await begun("lost");
    balancer?.cut();
    const result = await call;
    expect(runsOf("lost")).toEqual([{ name: "lost", by: first.name, result }]);
  });

  test("goes on with its stream over the other gateway: every chunk once, in order", async () => {
    await open(first);
    const chunks: number[] = [];
    for await (const chunk of client.api.across.count({ to: 300 })) {
      chunks.push(chunk);
      if (chunk === 100 || chunk === 200) balancer?.cut();
    }
    expect(chunks).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
  });

  test("has its call run once when a gateway stops in good order", async () => {
    const third = await processes.start();
    await open(third);
    const call = client.api.across.on_worker({ name: "stopped", ms: 500 }, { idempotent: true });
    await begun("stopped");
    const stopped = third.process.stop();
    const result = await call;
    await stopped;
    expect(runsOf("stopped")).toEqual([{ name: "stopped", by: third.name, result }]);
    const retry = { attempts: 9 };
    const next = await client.api.across.on_worker({ name: "next", ms: 0 }, { idempotent: true, retry });
    expect(runsOf("next")).toEqual([{ name: "next", by: second.name, result: next }]);
  });

  test("has its call run again, by the other gateway, when its gateway is killed with it", async () => {
    const third = await processes.start();
    await open(third);
    const call = client.api.across.on_worker({ name: "killed", ms: 1_000 }, { idempotent: true });
    await begun("killed");
    await third.process.kill();
    const result = await call;
    expect(runsOf("killed")).toMatchObject([{ by: third.name }, { by: second.name, result }]);
  }, 60_000);

  test("is told that its stream is lost when its gateway is killed, though it took it over the other one", async () => {
    const third = await processes.start();
    await open(third);
    const take = async () => {
      for await (const chunk of client.api.across.count({ to: 1_000_000 })) {
        if (chunk === 50) balancer?.cut();
        if (chunk === 100) await third.process.kill();
      }
    };
    await expect(take()).rejects.toMatchObject({ code: "unavailable", canRetry: true });
    const result = await client.api.across.on_main({ name: "after", ms: 0 });
    expect(runsOf("after")).toEqual([{ name: "after", by: second.name, result }]);
  }, 60_000);
});
