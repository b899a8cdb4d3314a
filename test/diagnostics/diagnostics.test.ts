import { describe, expect, test } from "vitest";
import { keep } from "../support/cluster.ts";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";

describe("statistics", () => {
  test("count every answer once, by its outcome, and what is open now", async () => {
    const gateway = keep(await startTestGateway({ workerPool: { threads: 1 } }));
    const client = await connectClient(urlOf(gateway));
    expect(gateway.diagnostics.statistics()).toMatchObject({
      gateway: gateway.name,
      requests: { succeeded: 0, failed: {}, total: 0, inFlight: 0 },
      streams: { open: 0, started: 0 },
      connections: { open: 1, opened: 1 },
      nodes: { up: 0, leaving: 0, down: 0 },
      restarts: 0,
    });
    await client.request("add", { a: 1, b: 2 });
    await gateway.call({ service: "test", requestType: "later", args: { msg: 1 } });
    await client.request("add", { a: "1", b: 2 });
    await client.request("fail");
    await client.request("nothing");
    const chunks: unknown[] = [];
    for await (const chunk of gateway.stream({ service: "test", requestType: "count", args: { to: 3 } })) {
      chunks.push(chunk);
    }
    expect(chunks).toEqual([1, 2, 3]);
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(0);
    const { requests, streams, eventLoop, uptimeMs } = gateway.diagnostics.statistics();
    expect(requests).toMatchObject({
      succeeded: 3,
      failed: { invalid_argument: 1, failed: 1, not_found: 1 },
      total: 6,
    });
    expect(streams).toEqual({ open: 0, started: 1, detached: 0, keptBytes: 0 });
    expect(gateway.diagnostics.statistics().idempotency).toEqual({ running: 0, kept: 0, keptBytes: 0 });
    expect(eventLoop.activeMs).toBeGreaterThan(0);
    expect(uptimeMs).toBeGreaterThan(0);
    const quiet = gateway.stream({ service: "test", requestType: "quiet" });
    await quiet.next();
    expect(gateway.diagnostics.statistics()).toMatchObject({
      streams: { open: 1, started: 2 },
      requests: { inFlight: 1 },
    });
    await quiet.return();
    await expect.poll(() => gateway.diagnostics.statistics().streams).toMatchObject({ open: 0, started: 2 });
    await client.close();
    await expect.poll(() => gateway.diagnostics.statistics().connections).toEqual({ open: 0, opened: 1 });
  });
});

describe("the way of a function's requests", () => {
  const secret = "an-argument-that-nobody-sees";

  test("names every stage that is configured, in the pipeline's order", async () => {
    const modules = {
      m: new URL("../fixtures/main-functions.js", import.meta.url),
    };
    const gateway = keep(
      await startTestGateway({
        modules,
        functions: [
          {
            service: "shop",
            requestType: "buy",
            version: "1.2.0",
            nodes: "local",
            runOn: "main",
            mfa: { module: "m", function: "echo", args: [secret] },
            timeout: 2_500,
            retry: { sameNode: 2 },
            beforeExecute: "m.echo",
            afterExecute: "m.echo",
            checkPermission: { role: ["admin"] },
            argTypes: { id: "uuid", note: { type: "string", defaultValue: secret } },
          },
          {
            service: "shop",
            requestType: "buy",
            version: "2.0.0",
            disabled: true,
            nodes: ["a"],
            mfa: "x.y",
            timeout: 500,
          },
        ],
        rateLimiter: {
          apiLimits: [
            { service: "shop", requestType: "buy", key: "userId", maxRequests: 5, windowMs: 1_000 },
            { service: "shop", requestType: "sell", key: "userId", maxRequests: 6, windowMs: 1_000 },
          ],
        },
      }),
    );
    const flow = gateway.diagnostics.flow("shop", "buy");
    if (flow === "not_found") throw new Error("not found");
    expect(flow).toMatchObject({
      version: "1.2.0",
      origin: "host",
      runsOn: "main",
      versions: [
        { version: "1.2.0", disabled: false },
        { version: "2.0.0", disabled: true },
      ],
    });
    expect(flow.stages.map(({ stage, summary }) => `${stage}: ${summary}`)).toEqual([
      "resolve: buy version 1.2.0",
      "before_execute: m.echo may change or refuse it",
      "permission: who has one of the roles admin",
      "rate_limits: 5 in 1 s by userId (shop/buy)",
      "nodes: here, on the gateway's own thread",
      "arguments: after 1 argument of the FunConfig's; id: uuid, note: string",
      "execution: sync m.echo (after 1 argument), at most 2.5 s, retry 2, on the same node",
      "after_execute: m.echo may replace the Response",
    ]);
    expect(JSON.stringify(flow)).not.toContain(secret);
    const second = gateway.diagnostics.flow("shop", "buy", "2.0.0");
    expect(second).toMatchObject({ disabled: true, runsOn: "nodes" });
    expect(gateway.diagnostics.flow("shop", "sell")).toBe("not_found");
    expect(gateway.diagnostics.flows("shop")).toHaveLength(2);
    expect(gateway.diagnostics.flows("other")).toEqual([]);
    expect(gateway.diagnostics.functions()).toMatchObject({
      count: 2,
      disabled: 1,
      services: { shop: 2 },
      origins: { host: 2, pushed: 0, pulled: 0 },
    });
  });
});

test("the pools tell what they do, and that they are closed when the gateway has stopped", async () => {
  const gateway = await startTestGateway({ listen: false, workerPool: { threads: 1 } });
  expect(gateway.diagnostics.pools()).toMatchObject([
    { name: "async_pool", state: "running" },
    { name: "stream_pool", state: "running" },
  ]);
  await gateway.stop();
  expect(gateway.diagnostics.pools()).toMatchObject([
    { name: "async_pool", state: "closed" },
    { name: "stream_pool", state: "closed" },
  ]);
});
