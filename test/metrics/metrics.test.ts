import { monitorEventLoopDelay } from "node:perf_hooks";
import { type GatewayOptions, startGenApi } from "gen-api";
import { metrics } from "gen-api/metrics";
import { Counter, Registry } from "prom-client";
import { afterEach, describe, expect, test } from "vitest";
import { kill } from "../../dist/actor/lifecycle/exit.js";
import nested from "../fixtures/nested.js";
import { keep, nextEvent, startGateway, startNode } from "../support/cluster.ts";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { named, watchActors } from "../support/living-actors.ts";
import { connectRaw } from "../support/network/raw-client.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { until } from "../support/until.ts";

const token = "a-token-of-sixteen-or-more";
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
afterEach(({ task }) => {
  if (task.result?.state === "fail") console.error(`SEED=${seed}`);
});

/** A gateway with an admin listener that answers /metrics. */
async function open(options: Parameters<typeof startTestGateway>[0] = {}, own: Parameters<typeof metrics>[0] = {}) {
  const registry = new Registry();
  const gateway = keep(
    await startTestGateway({
      admin: { listen: "127.0.0.1:0", token },
      metrics: metrics({ registry, ...own }),
      ...options,
    }),
  );
  const { port } = gateway.adminAddress as { port: number };
  const scrape = (headers: Record<string, string> = { authorization: `Bearer ${token}` }) =>
    fetch(`http://127.0.0.1:${port}/metrics`, { headers });
  return { gateway, registry, scrape };
}

/** The value of one series, `gen_api_<name>`, with these labels among its own; undefined where there is none. */
async function read(registry: Registry, name: string, labels: Record<string, string> = {}) {
  const wanted = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
  for (const line of (await registry.metrics()).split("\n")) {
    const [, series, shown = "", value] = /^gen_api_(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (series === name && wanted.every((label) => shown.split(",").includes(label))) return Number(value);
  }
  return undefined;
}

async function seriesCount(registry: Registry): Promise<number> {
  const text = await registry.metrics();
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
}

describe("/metrics", () => {
  test("is answered on the admin listener in the text format of Prometheus, to who has the token", async () => {
    const { gateway, scrape } = await open();
    await gateway.call({ service: "test", requestType: "add", args: { a: 1, b: 2 } });
    const answer = await scrape();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await answer.text();
    expect(text).toContain('gen_api_request_duration_seconds_count{service="test",type="add",outcome="ok"} 1');
    expect(text).toContain("# TYPE gen_api_request_duration_seconds histogram");
    expect((await scrape({})).status).toBe(401);
  });

  test("shows the program's own metrics beside, under a prefix that it chooses", async () => {
    const registry = new Registry();
    new Counter({ name: "orders_total", help: "Orders", registers: [registry] }).inc();
    const { scrape } = await open({}, { registry, prefix: "api_" });
    const text = await (await scrape()).text();
    expect(text).toContain("orders_total 1");
    expect(text).toContain("api_connections 0");
    expect(text).not.toContain("gen_api_");
  });

  test("is not there without the option", async () => {
    const { scrape } = await open({ metrics: undefined as never });
    expect((await scrape()).status).toBe(404);
  });
});

describe("requests are counted", () => {
  test("by how they ended, with the time that they took", async () => {
    const { gateway, registry } = await open();
    const ask = (requestType: string, args = {}) => gateway.request({ service: "test", requestType, args });
    await ask("echo", { msg: 1 });
    await ask("echo", { msg: 1 });
    await ask("echo", { unknown: 1 });
    await ask("fail");
    await ask("boom");
    const count = (type: string, outcome: string) =>
      read(registry, "request_duration_seconds_count", { service: "test", type, outcome });
    expect(await count("echo", "ok")).toBe(2);
    expect(await count("echo", "invalid_argument")).toBe(1);
    expect(await count("fail", "failed")).toBe(1);
    expect(await count("boom", "internal")).toBe(1);
    const sum = await read(registry, "request_duration_seconds_sum", { type: "echo", outcome: "ok" });
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(30);
  });

  test("under their own labels only while they are registered: a flood of random names grows nothing", async () => {
    const { gateway, registry } = await open();
    let state = seed;
    const random = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return state.toString(36);
    };
    const client = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0`);
    await client.join("api:a");
    const flood = async (requests: number) => {
      const ended: Promise<unknown>[] = [];
      for (let sent = 0; sent < requests; sent++) {
        const [service, type] = [
          ["test", random()],
          [random(), "echo"],
          [random(), random()],
          ["__proto__", "toString"],
        ][sent % 4] as [string, string];
        const version = sent % 3 === 0 ? `${sent}.0.0` : null;
        const request = { service, request_type: type, request_id: random(), version, user_id: random() };
        ended.push(client.next((frame) => frame[3] === "api"));
        client.send(["1", `${sent}`, "api:a", "api", request]);
      }
      await Promise.all(ended);
      await client.settled();
    };
    await flood(100);
    const before = await seriesCount(registry);
    await flood(2_000);
    expect(await seriesCount(registry)).toBe(before);
    const labels = { service: "other", type: "other", outcome: "not_found" };
    expect(await read(registry, "request_duration_seconds_count", labels)).toBeGreaterThan(1_000);
    await client.close();
  });

  test("under no more labels than a maximum, however many functions there are", async () => {
    const { gateway, registry } = await open({}, { maxFunctions: 3 });
    for (const { service, requestType } of gateway.diagnostics.flows()) {
      await gateway.request({ service, requestType, args: { unknown: 1 }, userId: "ann" }, { timeoutMs: 300 });
    }
    const metric = await registry.getSingleMetric("gen_api_request_duration_seconds")?.get();
    const types = new Set(metric?.values.map(({ labels }) => labels["type" as never]));
    expect(types.size).toBe(4);
    expect(types).toContain("other");
  });
});

describe("what happens now is read when it is scraped:", () => {
  test("connections, requests, streams, functions, pools", async () => {
    const { gateway, registry } = await open();
    const client = keep(await connectClient(urlOf(gateway)));
    const waiting = client.request("wait_on_main");
    await nextEvent("executor.attempt.start");
    const stream = gateway.stream({ service: "test", requestType: "quiet" });
    await stream.next();
    expect(await read(registry, "connections")).toBe(1);
    expect(await read(registry, "connections_opened_total")).toBe(1);
    expect(await read(registry, "requests_in_flight")).toBe(2);
    expect(await read(registry, "streams")).toBe(1);
    expect(await read(registry, "functions")).toBe(gateway.diagnostics.statistics().functions);
    expect(await read(registry, "worker_pool_calls_in_flight", { pool: "stream_pool" })).toBe(1);
    expect(await read(registry, "worker_pool_queue_depth", { pool: "async_pool" })).toBe(0);
    expect(await read(registry, "worker_pool_threads", { pool: "async_pool" })).toBe(2);
    await stream.return(undefined);
    await client.request("release_on_main");
    await waiting;
    expect(await read(registry, "requests_in_flight")).toBe(0);
    expect(await read(registry, "streams_ended_total", { type: "quiet", outcome: "cancelled" })).toBe(1);
    expect(await read(registry, "stream_chunks_total", { type: "quiet" })).toBe(1);
  });

  test("calls that functions make, which the other figures of a pool do not count", async () => {
    const { gateway, registry } = await open({ functions: [nested] });
    const controller = new AbortController();
    const { signal } = controller;
    const outer = gateway.call({ service: "nested", requestType: "waits_for", args: { type: "wait" } }, { signal });
    const ended = expect(outer).rejects.toMatchObject({ code: "cancelled" });
    const inFlight = (name: string) => read(registry, name, { pool: "async_pool" });
    await expect.poll(() => inFlight("worker_pool_nested_calls_in_flight")).toBe(1);
    expect(await inFlight("worker_pool_calls_in_flight")).toBe(1);
    expect(await inFlight("worker_pool_nested_queue_depth")).toBe(0);
    expect(gateway.diagnostics.pools()[0]).toMatchObject({ inFlight: 1, nestedInFlight: 1, nestedQueued: 0 });
    controller.abort();
    await ended;
    await expect.poll(() => inFlight("worker_pool_nested_calls_in_flight")).toBe(0);
  });

  test("idempotency keys, of calls that run and of those whose Response is kept", async () => {
    const { gateway, registry } = await open();
    const keys = (state: string) => read(registry, "idempotency_keys", { state });
    expect([await keys("running"), await keys("kept")]).toEqual([0, 0]);
    const of = { service: "test", userId: "ann" };
    const waiting = gateway.call({ ...of, requestType: "wait_on_main", idempotencyKey: "k1" });
    await gateway.call({ ...of, requestType: "add", args: { a: 1, b: 2 }, idempotencyKey: "k2" });
    expect([await keys("running"), await keys("kept")]).toEqual([1, 1]);
    expect(await read(registry, "idempotency_kept_bytes")).toBeGreaterThan(0);
    expect(await read(registry, "streams_kept_bytes")).toBe(0);
    await gateway.call({ service: "test", requestType: "release_on_main" });
    await waiting;
    expect([await keys("running"), await keys("kept")]).toEqual([0, 2]);
    expect(gateway.diagnostics.statistics().idempotency).toMatchObject({ running: 0, kept: 2 });
  });

  test("reloads, and threads that still run earlier code", async () => {
    const { gateway, registry } = await open();
    const stream = gateway.stream({ service: "test", requestType: "quiet" });
    await stream.next();
    await gateway.reload("test");
    await expect(gateway.reload("nothing")).rejects.toThrow("nothing");
    expect(await read(registry, "reloads_total", { outcome: "ok" })).toBe(1);
    expect(await read(registry, "reloads_total", { outcome: "failed" })).toBe(1);
    expect(await read(registry, "worker_pool_old_threads", { pool: "stream_pool" })).toBe(1);
    await stream.return(undefined);
    await until(async () => (await read(registry, "worker_pool_old_threads", { pool: "stream_pool" })) === 0);
  });

  test("open circuits, by the names of module and function", async () => {
    const { gateway, registry } = await open({ workerPool: { threads: 1, circuitBreakerThreshold: 2 } });
    expect(await read(registry, "circuit_breaker_open")).toBeUndefined();
    const boom = () => gateway.request({ service: "test", requestType: "boom" });
    await boom();
    await boom();
    expect((await boom()).error_code).toBe("unavailable");
    const metric = await registry.getSingleMetric("gen_api_circuit_breaker_open")?.get();
    expect(metric?.values).toMatchObject([
      { value: 1, labels: { pool: "async_pool", module: "test", function: expect.stringContaining("boom") } },
    ]);
    const labels = { pool: "async_pool", service: "test", type: "boom" };
    expect(await read(registry, "circuit_breaker_opened_total", labels)).toBe(1);
    expect(await read(registry, "worker_pool_rejected_total", { reason: "circuit_open" })).toBe(1);
  });

  test("how late the event loop is, whoever else scrapes", async () => {
    const { registry } = await open();
    const own = monitorEventLoopDelay({ resolution: 20 });
    own.enable();
    while (own.count === 0) await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 300;
    while (performance.now() < until);
    while (own.max < 200e6) await new Promise((resolve) => setImmediate(resolve));
    own.disable();
    await registry.metrics();
    const longest = await read(registry, "event_loop_lag_seconds", { quantile: "1" });
    expect(longest).toBeGreaterThan(0.1);
    expect(await read(registry, "event_loop_lag_seconds", { quantile: "0.5" })).toBeLessThan(longest ?? 0);
  });

  test("nodes and the calls that they have", async () => {
    const registry = new Registry();
    const gateway = await startGateway({ metrics: metrics({ registry }) });
    const { default: remote } = await import("../fixtures/cluster/service.js");
    expect(await read(registry, "nodes_up")).toBe(0);
    const node = await startNode([gateway], { name: "node_a", functions: [remote] });
    await node.connected();
    expect(await read(registry, "nodes_up")).toBe(1);
    expect(await read(registry, "config_pushes_total", { outcome: "accepted" })).toBe(1);
    const began = nextEvent("executor.attempt.start");
    const response = gateway.request({ service: "remote", requestType: "holds", args: { text: "metrics" } });
    await began;
    expect(await read(registry, "node_calls_in_flight", { node: "node_a" })).toBe(1);
    const down = nextEvent("node.down");
    await node.stop();
    await Promise.all([response, down]);
    expect(await read(registry, "nodes_up")).toBe(0);
    expect(await read(registry, "node_calls_in_flight")).toBeUndefined();
    expect(await read(registry, "node_downs_total")).toBe(1);
  });
});

describe("what happened is counted:", () => {
  test("limits", async () => {
    const limits = { globalLimits: [{ key: "userId", maxRequests: 1, windowMs: 60_000 }] } as const;
    const { gateway, registry } = await open({ rateLimiter: limits });
    const ask = () => gateway.request({ service: "test", requestType: "thread", userId: "ann" });
    await ask();
    expect((await ask()).error_code).toBe("rate_limited");
    expect(await read(registry, "rate_limiter_checks_total", { outcome: "allowed" })).toBe(1);
    expect(await read(registry, "rate_limiter_checks_total", { outcome: "refused" })).toBe(1);
    expect(await read(registry, "rate_limiter_exceeded_total", { service: "test", type: "thread" })).toBe(1);
    expect(await read(registry, "rate_limiter_keys", { kind: "user_and_address" })).toBe(1);
  });

  test("restarts of actors and lost threads", async () => {
    const { inspect, living } = watchActors();
    const { gateway, registry } = await open({ inspect });
    const restarted = nextEvent("supervisor.child.restart");
    for (const limiter of living(named("rate_limiter"))) kill(limiter);
    await restarted;
    expect(await read(registry, "supervisor_restarts_total", { supervisor: "gen_api" })).toBe(1);
    const lost = nextEvent("worker_pool.thread.exit");
    await gateway.request({ service: "test", requestType: "exit" });
    await lost;
    expect(await read(registry, "worker_pool_thread_exits_total", { pool: "async_pool" })).toBe(1);
  });

  test("clients that were refused", async () => {
    const { gateway, registry } = await open({ socket: { connect: () => null } });
    await expect(connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0`)).rejects.toThrow("403");
    expect(await read(registry, "connections_refused_total", { status: "403" })).toBe(1);
  });

  test("of one gateway, not of another in the same process", async () => {
    const [a, b] = [new Registry(), new Registry()];
    const first = await startGateway({ name: "first", metrics: metrics({ registry: a }) });
    await startGateway({ name: "second", metrics: metrics({ registry: b }) });
    await first.request({ service: "nobody", requestType: "x" });
    expect(await read(a, "request_duration_seconds_count", { outcome: "not_found" })).toBe(1);
    expect(await read(b, "request_duration_seconds_count", { outcome: "not_found" })).toBeUndefined();
  });
});

describe("metrics()", () => {
  test("measure one gateway at a time, and another when that has stopped", async () => {
    const own = metrics();
    const gateway = await startGateway({ name: "first", metrics: own });
    await expect(startGateway({ name: "second", metrics: own })).rejects.toThrow(
      "these metrics measure the gateway first; each gateway needs metrics() of its own",
    );
    await gateway.stop();
    expect(await own.text()).not.toMatch(/^gen_api_connections /m);
    await startGateway({ name: "second", metrics: own });
    expect(await own.text()).toMatch(/^gen_api_connections 0$/m);
  });

  test("an option that is none is told", async () => {
    await expect(startGateway({ metrics: true as never })).rejects.toThrow(
      /metrics must be metrics\(\) of gen-api\/metrics/,
    );
  });
});

describe("names in a registry that others use too", () => {
  const start = (options: GatewayOptions) => startGenApi({ logger: false, workerPool: { threads: 1 }, ...options });
  const taken = { code: "invalid_option", message: expect.stringContaining("the registry has a metric") };

  test("are given back by stop, and by a start that fails, so that the next start has them", async () => {
    const registry = new Registry();
    for (let round = 0; round < 3; round++) {
      await using gateway = await start({ metrics: metrics({ registry }) });
      expect(await read(registry, "functions")).toBe(0);
      await gateway.stop();
      expect(registry.getMetricsAsArray()).toEqual([]);
      const wrong = { service: "s", requestType: "t", nodes: "local", timeout: 1_000, mfa: "m.missing" } as const;
      const modules = { m: new URL("../fixtures/main-functions.js", import.meta.url) };
      await expect(start({ metrics: metrics({ registry }), modules, functions: [wrong] })).rejects.toThrow("missing");
      expect(registry.getMetricsAsArray()).toEqual([]);
    }
  });

  test("are refused to a second gateway, which then leaves nothing behind, and differ by prefix", async () => {
    const registry = new Registry();
    await using _first = await start({ name: "one@1", metrics: metrics({ registry }) });
    const before = registry.getMetricsAsArray().length;
    await expect(start({ name: "two@1", metrics: metrics({ registry }) })).rejects.toMatchObject(taken);
    expect(registry.getMetricsAsArray()).toHaveLength(before);
    await using _second = await start({ name: "two@1", metrics: metrics({ registry, prefix: "two_" }) });
    expect(registry.getMetricsAsArray()).toHaveLength(before * 2);
  });

  test("are not taken from the program itself", async () => {
    const registry = new Registry();
    const own = new Counter({ name: "gen_api_connections", help: "Its own", registers: [registry] });
    await expect(start({ metrics: metrics({ registry }) })).rejects.toMatchObject(taken);
    expect(registry.getMetricsAsArray()).toHaveLength(1);
    expect(registry.getSingleMetric("gen_api_connections")).toBe(own);
  });

  test("go on counting where the same metrics() measure one gateway after another", async () => {
    const registry = new Registry();
    const measured = metrics({ registry });
    for (let round = 0; round < 2; round++) {
      await using _gateway = await start({ metrics: measured });
      expect(await read(registry, "functions")).toBe(0);
    }
    expect(registry.getMetricsAsArray()).toEqual([]);
  });
});
