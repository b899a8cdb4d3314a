import type { FunConfigInput, Gateway, GatewayOptions, HostRequest } from "gen-api";
import { describe, expect, test } from "vitest";
import { keep, startGateway, startNode } from "../support/cluster.ts";
import { startTestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";

const modules = {
  m: new URL("../fixtures/main-functions.js", import.meta.url),
  resolvers: new URL("../fixtures/resolvers.js", import.meta.url),
};

/** Counts, in this process, how often it was called. */
const counter = `data:text/javascript,${encodeURIComponent(`
export const calls = (globalThis.genApiTestCalls ??= []);
export const f = () => calls.push("function");
export const before = () => calls.push("before");
export const after = () => calls.push("after");
export const permit = () => calls.push("permission") > 0;
export const nodes = () => { calls.push("resolver"); return ["a"]; };
`)}`;
const calls = () => ((globalThis as { genApiTestCalls?: string[] }).genApiTestCalls ??= []);

const functionOf = (requestType: string, more: Partial<FunConfigInput> = {}): FunConfigInput => ({
  service: "s",
  requestType,
  nodes: "local",
  runOn: "main",
  timeout: 1_000,
  mfa: "m.echo",
  ...more,
});

/** Runs on the pool's thread; named as the function. */
const onWorker = (name: string, more: Partial<FunConfigInput> = {}) =>
  functionOf(name, { runOn: "worker", mfa: `m.${name}`, ...more });

/** Until the cooldown of the one open circuit is over. */
const halfOpen = (gateway: Pick<Gateway, "diagnostics">) =>
  until(() => gateway.diagnostics.pools()[0]?.openCircuits.some(({ isRefusing }) => !isRefusing) === true);

async function start(functions: readonly FunConfigInput[], options: GatewayOptions = {}) {
  const all = { ...modules, counter };
  return keep(
    await startTestGateway({ listen: false, modules: all, functions, workerPool: { threads: 1 }, ...options }),
  );
}

const ask = (requestType: string, more: Partial<HostRequest> = {}) => ({ service: "s", requestType, ...more });

describe("a dry run says of a request", () => {
  test("what the request itself would be answered, stage for stage and word for word", async () => {
    const gateway = await start([
      functionOf("open"),
      functionOf("off", { disabled: true }),
      functionOf("users", { checkPermission: "any_authenticated" }),
      functionOf("mine", { checkPermission: { arg: "user_id" }, argTypes: { user_id: "string" } }),
      functionOf("admins", { checkPermission: { role: ["admin"] } }),
      functionOf("typed", { argTypes: { n: "num" } }),
      functionOf("versioned", { version: "1.0.0" }),
    ]);
    for (const request of [
      ask("open"),
      ask("open", { service: "t" }),
      ask("nothing"),
      ask("off"),
      ask("users"),
      ask("users", { userId: "" }),
      ask("users", { userId: "7" }),
      ask("mine", { userId: "7", args: { user_id: "7" } }),
      ask("mine", { userId: "7", args: { user_id: "8" } }),
      ask("admins", { userRoles: ["admin"] }),
      ask("admins", { userRoles: ["user"] }),
      ask("typed", { args: { n: 1 } }),
      ask("typed", { args: { n: "1" } }),
      ask("typed", { args: { n: 1, extra: 1 } }),
      ask("versioned"),
      ask("versioned", { version: "1.0.0" }),
      ask("versioned", { version: "2.0.0" }),
      ask("versioned", { version: "two" }),
      ask("open", { trace: "none" as never }),
      ask(""),
    ]) {
      const inspection = gateway.diagnostics.inspectRequest(request);
      const response = await gateway.request(request);
      const expected = response.success ? ["would_run", null] : [response.error_code, response.error];
      expect([inspection.outcome, inspection.error]).toEqual(expected);
      expect(inspection.isCertain).toBe(true);
      expect(inspection.stages.filter(({ verdict }) => verdict === "refuses")).toHaveLength(response.success ? 0 : 1);
    }
  });

  test("how much of each limit is left, and counts nothing", async () => {
    const gateway = await start([functionOf("open")], {
      rateLimiter: { globalLimits: [{ key: "userId", maxRequests: 2, windowMs: 60_000 }] },
    });
    const request = ask("open", { userId: "7" });
    const left = () =>
      gateway.diagnostics.inspectRequest(request).stages.find(({ stage }) => stage === "rate_limits")?.details.limits;
    for (const remaining of [2, 2, 2]) expect(left()).toMatchObject([{ remaining }]);
    await gateway.request(request);
    expect(left()).toMatchObject([{ remaining: 1 }]);
    await gateway.request(request);
    const refused = gateway.diagnostics.inspectRequest(request);
    const response = await gateway.request(request);
    expect(refused).toMatchObject({ outcome: "rate_limited", error: response.error });
    expect(refused.retryAfterMs).toBeGreaterThan(59_000);
    expect(gateway.rateLimiter.status("7", undefined, "userId")).toMatchObject([{ count: 2 }]);
  });

  test("where functions of the user's have a say, and calls none of them", async () => {
    const gateway = await start([
      functionOf("hooked", {
        mfa: "counter.f",
        beforeExecute: "counter.before",
        afterExecute: "counter.after",
        permissionCallback: "counter.permit",
      }),
      functionOf("resolved", { nodes: { module: "counter", function: "nodes" } }),
    ]);
    calls().length = 0;
    const hooked = gateway.diagnostics.inspectRequest(ask("hooked"));
    expect(hooked).toMatchObject({ outcome: "would_run", isCertain: false });
    const unknown = hooked.stages.flatMap(({ stage, verdict }) => (verdict === "unknown" ? [stage] : []));
    expect(unknown).toEqual(["before_execute", "permission_callback", "after_execute"]);
    expect(gateway.diagnostics.inspectRequest(ask("resolved"))).toMatchObject({ isCertain: false });
    gateway.diagnostics.flow("s", "resolved");
    gateway.diagnostics.flow("s", "hooked");
    expect(calls()).toEqual([]);
    // What the resolver has answered once is known from then on.
    await gateway.request(ask("resolved"));
    expect(calls()).toEqual(["resolver"]);
    expect(gateway.diagnostics.inspectRequest(ask("resolved"))).toMatchObject({
      outcome: "unavailable",
      isCertain: true,
    });
  });

  test("that there is no room for another key, where failOpen is false", async () => {
    const gateway = await start([functionOf("open")], {
      rateLimiter: {
        failOpen: false,
        maxKeys: 2,
        globalLimits: [{ key: "userId", maxRequests: 5, windowMs: 60_000 }],
      },
    });
    for (const userId of ["a", "b", "c", "a"]) {
      const request = ask("open", { userId });
      const inspection = gateway.diagnostics.inspectRequest(request);
      const response = await gateway.request(request);
      expect(inspection.outcome).toBe(response.success ? "would_run" : response.error_code);
      expect(inspection.outcome).toBe(userId === "c" ? "rate_limited" : "would_run");
    }
    const [limit] = gateway.rateLimiter.status("c", undefined, "userId");
    expect(limit).toMatchObject({ count: 0, remaining: 5 });
    expect(limit?.retryAfterMs).toBeGreaterThan(0);
    expect(gateway.rateLimiter.status("a", undefined, "userId")).toMatchObject([{ retryAfterMs: 0 }]);
  });

  test("that an open circuit refuses it, that it would be the trial, and that the trial is under way", async () => {
    const gateway = await start([onWorker("untilAborted", { requestInfo: true, timeout: 1_000 })], {
      workerPool: { threads: 1, circuitBreakerThreshold: 1, circuitBreakerCooldownMs: 3_000 },
    });
    const request = ask("untilAborted");
    expect(await gateway.request(request)).toMatchObject({ error_code: "timeout" });
    // Its thread has to say first that it turned all the while: nobody else's work made the call late.
    await expect.poll(() => gateway.diagnostics.pools().some(({ openCircuits }) => openCircuits.length > 0)).toBe(true);
    const inspection = gateway.diagnostics.inspectRequest(request);
    expect(inspection).toMatchObject({ outcome: "unavailable", isCertain: true });
    expect(await gateway.request(request)).toMatchObject({ error_code: inspection.outcome });
    await halfOpen(gateway);
    expect(gateway.diagnostics.inspectRequest(request)).toMatchObject({ outcome: "would_run" });
    const trial = gateway.request(request);
    expect(gateway.diagnostics.inspectRequest(request)).toMatchObject({ outcome: "unavailable" });
    expect(await gateway.request(request)).toMatchObject({ error_code: "unavailable" });
    expect(await trial).toMatchObject({ error_code: "timeout" });
  });

  test("that it would have to wait, which may take longer than it may", async () => {
    const gateway = await start(
      [onWorker("untilAborted", { requestInfo: true, timeout: 20_000 }), onWorker("nothing", { timeout: 100 })],
      { workerPool: { threads: 1, asyncPoolSize: 1 } },
    );
    const controller = new AbortController();
    void gateway.request(ask("untilAborted"), { signal: controller.signal });
    const inspection = gateway.diagnostics.inspectRequest(ask("nothing"));
    expect(inspection).toMatchObject({ outcome: "would_run", isCertain: false });
    expect(inspection.stages.at(-1)).toMatchObject({
      stage: "execution",
      verdict: "unknown",
      summary: "it would wait in async_pool behind 0 calls",
    });
    expect(await gateway.request(ask("nothing"))).toMatchObject({ error_code: "timeout" });
    controller.abort();
  });

  test("that what its pool refuses is tried again with `retry`, of which nobody knows what comes", async () => {
    const gateway = await start([onWorker("boom"), onWorker("again", { mfa: "m.boom", retry: 2 })], {
      workerPool: { threads: 1, circuitBreakerThreshold: 1 },
    });
    await gateway.request(ask("boom"));
    const inspection = gateway.diagnostics.inspectRequest(ask("again"));
    expect(inspection).toMatchObject({ outcome: "retry_exhausted", isCertain: false });
    expect(inspection.stages.at(-1)).toMatchObject({
      verdict: "refuses",
      summary: "its circuit in async_pool is open; it would be tried again, 2 times at most",
    });
    expect(await gateway.request(ask("again"))).toMatchObject({
      error_code: "retry_exhausted",
      error: inspection.error,
    });
  });

  test("that an after hook hears of a refusal too, and may make anything of it", async () => {
    const gateway = await start([
      functionOf("mended", { checkPermission: { role: ["admin"] }, afterExecute: "m.toSuccess" }),
    ]);
    const inspection = gateway.diagnostics.inspectRequest(ask("mended"));
    expect(inspection).toMatchObject({ outcome: "permission_denied", isCertain: false });
    expect(inspection.stages.slice(1)).toMatchObject([
      { stage: "permission", verdict: "refuses" },
      { stage: "after_execute", verdict: "unknown" },
    ]);
    expect(await gateway.request(ask("mended"))).toMatchObject({ success: true, result: "mended" });
  });

  test("the same of an address in all of its forms, and that what is none cannot be one", async () => {
    const gateway = await start([functionOf("open")], {
      rateLimiter: { globalLimits: [{ key: "ipAddress", maxRequests: 1, windowMs: 60_000 }] },
    });
    gateway.rateLimiter.check("2001:0DB8::1", "global", "ipAddress");
    gateway.rateLimiter.check("10.0.0.1", "global", "ipAddress");
    const outcomeFrom = (ipAddress: string) => gateway.diagnostics.inspectRequest(ask("open", { ipAddress })).outcome;
    for (const refused of [
      "2001:db8::1",
      "2001:DB8::2",
      "2001:0db8::1",
      "2001:db8:0:0::1",
      "2001:0db8:0000:0000:0000:0000:0000:0001",
      "10.0.0.1",
      "::ffff:10.0.0.1",
      "::FFFF:0A00:0001",
    ]) {
      expect([refused, outcomeFrom(refused)]).toEqual([refused, "rate_limited"]);
    }
    for (const other of ["2001:db8:0:1::1", "::1", "10.0.0.2"]) expect(outcomeFrom(other)).toBe("would_run");
    const fault = (got: string) =>
      expect.objectContaining({
        code: "invalid_request",
        message: `ipAddress must be an IP address or null, got "${got}"`,
      });
    for (const none of ["", "localhost", "10.0.0", "2001:db8::/64", "10.0.0.1:80"]) {
      expect(() => outcomeFrom(none)).toThrow(fault(none));
    }
  });

  test("that a permission callback whose circuit is open cannot be asked, and may be asked again afterwards", async () => {
    const gateway = await start([onWorker("echo", { permissionCallback: "m.boom" })], {
      workerPool: { threads: 1, circuitBreakerThreshold: 1, circuitBreakerCooldownMs: 3_000 },
    });
    const request = ask("echo", { args: { msg: "x" } });
    expect(gateway.diagnostics.inspectRequest(request)).toMatchObject({ outcome: "would_run", isCertain: false });
    expect(await gateway.request(request)).toMatchObject({ error_code: "permission_denied" });
    const inspection = gateway.diagnostics.inspectRequest(request);
    expect(inspection).toMatchObject({ outcome: "unavailable", isCertain: true });
    expect(inspection.stages.at(-1)).toMatchObject({ stage: "permission_callback", verdict: "refuses" });
    expect(await gateway.request(request)).toMatchObject({ error_code: "unavailable" });
    await halfOpen(gateway);
    expect(gateway.diagnostics.inspectRequest(request)).toMatchObject({ outcome: "would_run", isCertain: false });
  });

  test("what is wrong with it, where it is none or its identity is none", async () => {
    const gateway = await start([functionOf("admins", { checkPermission: { role: ["admin"] } })]);
    const inspect = (request: unknown) => () => gateway.diagnostics.inspectRequest(request as HostRequest);
    const fault = (message: string) => expect.objectContaining({ code: "invalid_request", message });
    expect(inspect(null)).toThrow(fault("The request must be a map, got null"));
    expect(inspect([])).toThrow(fault("The request must be a map, got list"));
    expect(inspect({ ...ask("admins"), userRoles: "admin" })).toThrow(
      fault("userRoles must be a list of at most 1000 strings, got string"),
    );
    expect(inspect({ ...ask("admins"), userId: 5 })).toThrow(fault("userId must be a string or null, got number"));
    expect(inspect({ ...ask("admins"), userRoles: null })()).toMatchObject({ outcome: "permission_denied" });
  });

  test("that the gateway drains", async () => {
    const gateway = await start([functionOf("open")]);
    await gateway.stop();
    expect(gateway.diagnostics.inspectRequest(ask("open"))).toMatchObject({ outcome: "unavailable" });
  });
});

describe("of a function on nodes", () => {
  const functions = (chooseNodeMode: FunConfigInput["chooseNodeMode"]) => [
    functionOf("f", { nodes: ["a", "b", "c"], chooseNodeMode, argTypes: null }),
  ];

  test("it says that no node lives, and which one it would be, without taking its turn", async () => {
    const gateway = await startGateway({ functions: functions("roundRobin") });
    expect(gateway.diagnostics.inspectRequest(ask("f"))).toMatchObject({ outcome: "unavailable" });
    const node = { service: "s", modules, functions: [], pushOnStartup: false };
    for (const name of ["a", "b"]) await startNode([gateway], { ...node, name });
    for (const name of ["a", "b"]) await gateway.nodes.whenUp(name);
    const selected = () =>
      gateway.diagnostics.inspectRequest(ask("f")).stages.find(({ stage }) => stage === "nodes")?.details.selected;
    expect([selected(), selected(), selected()]).toEqual(["a", "a", "a"]);
    const { stages, isCertain } = gateway.diagnostics.inspectRequest(ask("f"));
    expect([stages.at(-1)?.verdict, isCertain]).toEqual(["unknown", false]);
    await gateway.request(ask("f"));
    expect([selected(), selected()]).toEqual(["b", "b"]);
    expect(gateway.diagnostics.cluster().nodes.map(({ node: name, state }) => [name, state])).toEqual([
      ["a", "up"],
      ["b", "up"],
    ]);
  });
});
