import fc from "fast-check";
import { type Gateway, startGenApi } from "gen-api";
import { afterAll, beforeAll, expect, test } from "vitest";
import service from "../../fixtures/streams/counted.js";
import { urlOf } from "../../support/gateway.ts";
import { CuttingNetwork } from "../../support/network/cutting-network.ts";
import { expectWhole, streamPlans, takeStream } from "./take-stream.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

let gateway: Gateway;
let network: CuttingNetwork;
beforeAll(async () => {
  gateway = await startGenApi({
    logger: false,
    listen: { port: 0 },
    socket: { connect: () => ({ userId: "u1" }) },
    channels: [{ topic: "api:*", event: "api" }],
    functions: [service],
    workerPool: { threads: 1 },
  });
  network = await CuttingNetwork.open(Number(new URL(urlOf(gateway)).port));
});
afterAll(async () => {
  await network[Symbol.asyncDispose]();
  await gateway.stop();
});

test(`over sockets that are cut at any byte, or half-open, each chunk comes once, in order, and one end (seed ${seed})`, async () => {
  const take = async (plan: Parameters<typeof takeStream>[0]) => expectWhole(await takeStream(plan, [network]), plan);
  await fc.assert(fc.asyncProperty(streamPlans(1), take), { seed, numRuns: 25 });
  const { open, detached, keptBytes } = gateway.diagnostics.statistics().streams;
  expect([open, detached, keptBytes]).toEqual([0, 0, 0]);
});
