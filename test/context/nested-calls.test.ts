import { type Gateway, type GatewayOptions, telemetry } from "gen-api";
import { describe, expect, test } from "vitest";
import service from "../fixtures/nested.js";
import { keep, nextEvent, startGateway, startNode } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { recordEvents } from "../support/record-events.ts";

const claims = { tenant: "t1" };
const connect = () => ({ userId: "u1", claims });

function start(options: GatewayOptions = {}) {
  return startGateway({
    socket: { connect },
    channels: [{ topic: "api:*", event: "api" }],
    functions: [service],
    ...options,
  });
}

const clientOf = async (gateway: Gateway) => keep(await connectClient(urlOf(gateway), { service: "nested" }));
const asked = (requestType: string, args: object = {}) =>
  ({ service: "nested", requestType, args, claims }) as Parameters<Gateway["call"]>[0];

/** A gateway whose functions all run on a node of its own. */
async function startOnNode(options: GatewayOptions = {}) {
  const gateway = await start({ functions: [], ...options });
  const pushed = nextEvent("config.push", ({ metadata }) => metadata.gateway === gateway.name);
  const { workerPool = { threads: 1 } } = options;
  await startNode([gateway], { name: "n1", service: "nested", functions: [service], workerPool });
  await pushed;
  return gateway;
}

describe.each([
  ["a thread", "on_thread", start],
  ["the main thread", "on_main", start],
  ["a service node", "on_thread", startOnNode],
  ["a service node's main thread", "on_main", startOnNode],
])("a function on %s", (_where, type, startIt) => {
  test("calls another in the name of its caller, down to 16 deep and no deeper", async () => {
    const gateway = await startIt();
    const client = await clientOf(gateway);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const { response } = await client.request(type, { depth: 16 }, { trace: { traceparent } });
    expect(response.result).toMatchObject({
      userId: "u1",
      claims,
      topic: "api:lobby",
      requestId: expect.stringMatching(/^r1(\/1){16}$/),
      trace: "0af7651916cd43dd8448eb211c80319c",
    });
    const tooDeep = (await client.request(type, { depth: 17 })).response;
    expect(tooDeep).toMatchObject({
      error_code: "failed",
      reason: "invalid_request",
      error: "Invalid request: Functions may call functions at most 16 deep",
    });
  });

  test("gets the results and errors that a client would get", async () => {
    const gateway = await startIt();
    const attempt = type === "on_main" ? "attempt_on_main" : "attempt";
    const of = (name: string, args: object = {}, options: object = {}) =>
      gateway.call(asked(attempt, { type: name, args, options }));
    expect(await of("echo", { value: { a: [1, null, "ü"] } })).toEqual({ result: { a: [1, null, "ü"] } });
    expect(await of("echo")).toEqual({ result: null });
    expect(await of("later", { value: 5 })).toEqual({ result: 5 });
    expect(await of("cast")).toEqual({ result: null });
    expect(await of("admins")).toMatchObject({ name: "GenApiError", code: "permission_denied" });
    expect(await of("of_tenant", { tenant: "t1" })).toEqual({ result: "t1" });
    expect(await of("of_tenant", { tenant: "t2" })).toMatchObject({ code: "permission_denied" });
    expect(await of("echo", { valu: 1 })).toMatchObject({ code: "invalid_argument" });
    expect(await of("nothing")).toMatchObject({ code: "not_found" });
    expect(await of("echo", {}, { version: "9.9.9" })).toMatchObject({ code: "not_found" });
    expect(await of("sold_out")).toMatchObject({
      code: "failed",
      reason: "sold_out",
      message: "Nothing left",
      canRetry: true,
    });
    expect(await of("boom")).toMatchObject({ code: "internal", message: "Internal Server Error" });
    expect(await of("ticks", { to: 3 })).toMatchObject({
      code: "invalid_request",
      message: "Invalid request: nested.ticks is a stream: take it with callStream()",
    });
    expect(await of("wait", {}, { timeoutMs: 50 })).toMatchObject({
      code: "timeout",
      message: "Request timed out after 50 ms",
      canRetry: true,
    });
    for (const timeoutMs of [0, "5"]) {
      expect(await of("echo", {}, { timeoutMs })).toMatchObject({
        code: "invalid_request",
        message: expect.stringContaining("timeoutMs must be a number of milliseconds, at least 1, or null, got"),
      });
    }
    expect(await of("")).toMatchObject({
      code: "invalid_request",
      message: 'Invalid request: requestType must be a non-empty string, got ""',
    });
    expect(await of("echo", { value: "x".repeat(1_000_001) })).toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("exceeds maximum size"),
    });
  });

  test("takes the streams of others, at its own pace", async () => {
    const gateway = await startIt();
    expect(await gateway.call(asked("sum", { to: 1_000 }))).toBe(500_500);
    expect(await gateway.call(asked("stream_of", { type: "echo", args: { value: 7 } }))).toEqual({ result: [7] });
    expect(await gateway.call(asked("stream_of", { type: "cast" }))).toEqual({ result: [null] });
    expect(await gateway.call(asked("stream_of", { type: "sold_out" }))).toMatchObject({ reason: "sold_out" });
    expect(await gateway.call(asked("stream_of", { type: "nothing" }))).toMatchObject({ code: "not_found" });
    const chunks: unknown[] = [];
    for await (const chunk of gateway.stream(asked("doubled", { to: 100 }))) chunks.push(chunk);
    expect(chunks).toEqual(Array.from({ length: 100 }, (_, n) => 2 * (n + 1)));
  });

  test("that leaves a stream ends it", async () => {
    const gateway = await startIt();
    using stopped = recordEvents("stream.stop");
    expect(await gateway.call(asked("sum", { to: 1e6, until: 3 }))).toBe(6);
    await expect.poll(() => stopped.messages.length).toBe(1);
  });
});

describe("a call within a call", () => {
  test("is cancelled with the call that made it, however that ends", async () => {
    const gateway = await start();
    const client = await clientOf(gateway);
    const count = () => gateway.call<number>(asked("stopped"));
    const before = await count();
    // The outer call is cancelled by its client, times out, loses its client, or just returns.
    const cancelled = client.request("waits_for", { type: "wait_on_main" });
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(2);
    client.channel.push("cancel", { request_id: "r1" });
    expect((await cancelled).response).toMatchObject({ error_code: "cancelled" });
    await expect.poll(count).toBe(before + 1);
    const late = client.request("waits_for", { type: "wait_on_main" }, { timeout_ms: 50 });
    expect((await late).response).toMatchObject({ error_code: "timeout" });
    await expect.poll(count).toBe(before + 2);
    const other = await clientOf(gateway);
    void other.request("waits_for", { type: "wait_on_main" }).catch(() => undefined);
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(2);
    await other.close();
    await expect.poll(count).toBe(before + 3);
    expect(await gateway.call(asked("forgets", { type: "wait_on_main" }))).toBe("forgotten");
    await expect.poll(count).toBe(before + 4);
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(0);
  });

  test("can be cancelled by a signal, also before it begins", async () => {
    const gateway = await start();
    const [during, before] = await gateway.call<{ code: string }[]>(asked("cancels"));
    expect([during?.code, before?.code]).toEqual(["cancelled", "cancelled"]);
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(0);
  });

  test("is refused once the function that would make it is over", async () => {
    const gateway = await start();
    const client = await clientOf(gateway);
    expect((await client.request("too_late")).response).toMatchObject({ result: "over" });
    const late = async () => (await client.request("late", { id: "r1" })).response.result;
    await expect.poll(late).toMatchObject({ code: "cancelled" });
  });

  test("has at most the time that its caller has", async () => {
    const gateway = await start();
    const left = await gateway.call<{ result: number }>(asked("attempt", { type: "left" }), { timeoutMs: 4_000 });
    expect(left.result).toBeLessThanOrEqual(4_000);
    const own = asked("attempt", { type: "left", options: { timeoutMs: 3_000 } });
    expect((await gateway.call<{ result: number }>(own)).result).toBeLessThanOrEqual(3_000);
  });

  test("counts for rate limits only with countNested", async () => {
    const globalLimits = [{ key: "claims.tenant", maxRequests: 1, windowMs: 60_000 }];
    const calls = async (countNested: boolean) => {
      const gateway = await start({ rateLimiter: { globalLimits, countNested } });
      return gateway.call(asked("attempt", { type: "limited" }));
    };
    expect(await calls(false)).toEqual({ result: "counted" });
    expect(await calls(true)).toMatchObject({ code: "rate_limited", canRetry: true, retryAfterMs: expect.any(Number) });
  });

  test("that fails and is not caught fails the call that made it, with its reason", async () => {
    const gateway = await start();
    await expect(gateway.call(asked("propagate"))).rejects.toMatchObject({
      code: "failed",
      reason: "sold_out",
      message: "Nothing left",
    });
  });

  test("still runs while the gateway drains", async () => {
    const gateway = await start();
    const outer = gateway.call(asked("many", { count: 40, ms: 30 }));
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBeGreaterThan(1);
    const stopping = gateway.stop({ drainMs: 5_000 });
    expect(await outer).toBe(780);
    await stopping;
  });
});

describe("calls within calls cannot wait for one another's places:", () => {
  const bounds = { threads: 1, asyncPoolSize: 1, streamPoolSize: 1, maxQueueSize: 10 };

  test.each([
    ["on one thread with one place", start],
    ["on a node with one thread and one place", startOnNode],
  ])("%s", async (_where, startIt) => {
    const gateway = await startIt({ workerPool: bounds });
    const all = Promise.all([
      gateway.call(asked("on_thread", { depth: 12 })),
      gateway.call(asked("many", { count: 50, ms: 1 })),
      gateway.call(asked("mixed", { depth: 5 })),
      gateway.call(asked("sum", { to: 200 })),
      (async () => {
        let count = 0;
        for await (const _ of gateway.stream(asked("doubled", { to: 200 }))) count++;
        return count;
      })(),
    ]);
    expect(await all).toMatchObject([{ topic: null }, 1_225, "end", 20_100, 200]);
    expect(gateway.diagnostics.statistics().requests.inFlight).toBe(0);
  });

  test("a function has 16 calls under way at a time; the others wait for these", async () => {
    const gateway = await start();
    let running = 0;
    let most = 0;
    const count = (by: number) => () => {
      running += by;
      most = Math.max(most, running);
    };
    const detach = [
      telemetry.attach("executor.attempt.start", count(1)),
      telemetry.attach("executor.attempt.stop", count(-1)),
    ];
    expect(await gateway.call(asked("many", { count: 100, ms: 5 }))).toBe(4_950);
    for (const end of detach) end();
    expect(most).toBe(17);
  });
});
