import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Cut, CuttingNetwork } from "../support/network/cutting-network.ts";
import { LossyNetwork } from "../support/network/lossy-network.ts";
import { GatewayProcess } from "../support/processes/gateway-process.ts";
import { openClient, reaches, type TestClient } from "./open-client.ts";

const startGateway = (port = 0) => GatewayProcess.start({ port }, "client/gateway.js");

let gateway: GatewayProcess;
let network: LossyNetwork;
beforeEach(async () => {
  gateway = await startGateway();
  network = await LossyNetwork.open(gateway.port);
});
afterEach(async () => {
  await network[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
});
const url = () => `ws://127.0.0.1:${network.port}/socket`;

test("a loop that takes nothing holds the function: it makes no more than a window", async () => {
  using client = openClient(url());
  const chunks = client.api.test.endless({}, { window: 8 })[Symbol.asyncIterator]();
  expect(await chunks.next()).toEqual({ done: false, value: 1 });
  await expect.poll(() => client.api.test.made()).toBeGreaterThanOrEqual(8);
  // Time enough for more, were there no bound.
  for (let n = 0; n < 100; n++) await client.api.test.add({ a: n, b: n });
  expect(await client.api.test.made()).toBeLessThanOrEqual(9);
  for (let n = 2; n <= 100; n++) expect(await chunks.next()).toEqual({ done: false, value: n });
  await expect.poll(() => client.api.test.made()).toBeGreaterThanOrEqual(100);
  expect(await client.api.test.made()).toBeLessThanOrEqual(110);
  await chunks.return?.();
});

test("wherever sockets are cut, seen by both sides or by neither, each chunk comes once, in order, and one end", async () => {
  await using cutting = await CuttingNetwork.open(gateway.port);
  const cut = fc.record({
    afterBytes: fc.integer({ min: 1, max: 6_000 }),
    how: fc.constantFrom<Cut["how"]>("cut", "half-open"),
  });
  let cuts = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(cut, { maxLength: 4 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 150 }),
      async (planned, window, to) => {
        using client = openClient(`ws://127.0.0.1:${cutting.port}/socket`, { heartbeatIntervalMs: 100 });
        const cutAll = async () => {
          for (const next of planned) {
            await cutting.cutAfter(next);
            cuts++;
          }
        };
        const chunks: number[] = [];
        for await (const chunk of client.api.test.count({ to }, { window })) {
          // Before the first one the client has no token to go on with.
          if (chunk === 1) void cutAll();
          chunks.push(chunk);
        }
        cutting.spare();
        expect(chunks).toEqual(Array.from({ length: to }, (_, n) => n + 1));
      },
    ),
    { numRuns: 40, interruptAfterTimeLimit: 20_000, endOnFailure: true },
  );
  // So that it means something.
  expect(cuts).toBeGreaterThan(5);
});

test.each(["in", "out"] as const)("a stream goes on when the network has swallowed what went %s", async (way) => {
  using client = openClient(url(), { heartbeatIntervalMs: 200 });
  const chunks = client.api.test.ticks({ ms: 20 })[Symbol.asyncIterator]();
  let expected = 1;
  const read = async (count: number) => {
    for (const end = expected + count; expected < end; expected++) {
      expect(await chunks.next()).toEqual({ done: false, value: expected });
    }
  };
  await read(10);
  network.lose(way);
  await reaches(client, "connecting");
  network.heal();
  await read(100);
  await chunks.return?.();
});

test("a stream that ended while its client was away gives its last chunks, then its end", async () => {
  using client = openClient(url(), { heartbeatIntervalMs: 200 });
  const chunks = client.api.test.count({ to: 20 }, { window: 30 })[Symbol.asyncIterator]();
  expect(await chunks.next()).toEqual({ done: false, value: 1 });
  network.heal();
  await reaches(client, "connecting");
  await reaches(client, "open");
  for (let n = 2; n <= 20; n++) expect(await chunks.next()).toEqual({ done: false, value: n });
  expect(await chunks.next()).toEqual({ done: true, value: undefined });
  expect(await chunks.next()).toEqual({ done: true, value: undefined });
});

test("a stream whose gateway is gone is told so by the next one", async () => {
  using client = openClient(gateway.url, { waitMs: 100_000 });
  const chunks = client.api.test.ticks({ ms: 20 })[Symbol.asyncIterator]();
  await chunks.next();
  const loop = async () => {
    while (!(await chunks.next()).done);
  };
  const ended = loop().catch((error: unknown) => error);
  await gateway.kill();
  gateway = await startGateway(gateway.port);
  expect(await ended).toMatchObject({ code: "disconnected", reason: "not_found", canRetry: true });
});

test("a stream that waits for a socket can be left, and cancelled", async () => {
  using client = openClient(gateway.url);
  const left = client.api.test.ticks({ ms: 20 })[Symbol.asyncIterator]();
  const controller = new AbortController();
  const cancelled = client.api.test.quiet({}, { signal: controller.signal })[Symbol.asyncIterator]();
  await Promise.all([left.next(), cancelled.next()]);
  await gateway.kill();
  await reaches(client, "connecting");
  controller.abort();
  await expect(cancelled.next()).rejects.toMatchObject({ code: "cancelled" });
  expect(await left.return?.()).toEqual({ done: true, value: undefined });
});

const marks = async (client: TestClient) => (await client.api.test.marks()) as string[];

test("an idempotent call goes on over the next connection, and its function runs once", async () => {
  using client = openClient(url());
  using other = openClient(gateway.url);
  for (const call of [
    () => client.api.test.mark({ name: "sync", ms: 300 }, { idempotent: true }),
    () => client.api.test.mark_later({ name: "async", ms: 300 }, { idempotent: true }),
  ]) {
    const before = await marks(other);
    const result = call();
    await expect.poll(async () => (await marks(other)).length).toBe(before.length + 1);
    network.heal();
    await reaches(client, "connecting");
    expect(await result).toBe("done");
    expect(await marks(other)).toHaveLength(before.length + 1);
  }
  // Answered, while its client was away: the result was kept.
  const kept = client.api.test.mark({ name: "kept", ms: 0 }, { idempotent: true });
  network.lose("in");
  await expect.poll(async () => (await marks(other)).at(-1)).toBe("kept");
  network.heal();
  expect(await kept).toBe("done");
  expect((await marks(other)).filter((name) => name === "kept")).toEqual(["kept"]);
});

test("a call that is not, and has begun, is not sent again", async () => {
  using client = openClient(url(), { retry: { attempts: 3 } });
  using other = openClient(gateway.url);
  const lost = client.api.test.mark({ name: "once", ms: 300 });
  await expect.poll(() => marks(other)).toContain("once");
  network.heal();
  await expect(lost).rejects.toMatchObject({ code: "disconnected", canRetry: true });
  await reaches(client, "open");
  expect((await marks(other)).filter((name) => name === "once")).toEqual(["once"]);
});

test("an idempotent call that costs its connection each time is given up", async () => {
  using client = openClient(gateway.url);
  const huge = "x".repeat(2_000_000);
  await expect(client.api.test.echo({ msg: huge }, { idempotent: true })).rejects.toMatchObject({
    code: "disconnected",
  });
  expect(await client.api.test.echo({ msg: "small" })).toBe("small");
});
