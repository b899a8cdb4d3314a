import fc from "fast-check";
import type { Gateway } from "gen-api";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectWhole, type StreamPlan, streamPlans, takeStream } from "../../gateway/streaming/take-stream.ts";
import { urlOf } from "../../support/gateway.ts";
import { NatsServer } from "../../support/nats/nats-server.ts";
import { CuttingNetwork } from "../../support/network/cutting-network.ts";
import { until } from "../../support/until.ts";
import { Gateways } from "./gateways.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env.RUNS ?? 25);

let server: NatsServer;
let gateways: Gateways;
const started: Gateway[] = [];
const networks: CuttingNetwork[] = [];
beforeAll(async () => {
  server = await NatsServer.start();
  gateways = new Gateways(server);
  for (let count = 0; count < 3; count++) {
    const gateway = await gateways.start({ socket: { connect: () => ({ userId: "u1" }) } });
    started.push(gateway);
    networks.push(await CuttingNetwork.open(Number(new URL(urlOf(gateway)).port)));
  }
}, 60_000);
afterAll(async () => {
  for (const network of networks) await network[Symbol.asyncDispose]();
  await gateways[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test(`over sockets to any of three gateways that are cut at any byte, or half-open, each chunk comes once, in order, and one end (seed ${seed})`, async () => {
  const take = async (plan: StreamPlan) => expectWhole(await takeStream(plan, networks), plan);
  await fc.assert(fc.asyncProperty(streamPlans(3), take), { seed, numRuns });
  for (const gateway of started) {
    await until(() => {
      const { open, detached, keptBytes } = gateway.diagnostics.statistics().streams;
      return open + detached + keptBytes === 0;
    });
  }
  expect(started).toHaveLength(3);
}, 120_000);
