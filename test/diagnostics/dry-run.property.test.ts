import fc from "fast-check";
import type { FunConfigInput, Gateway, GatewayOptions, HostRequest } from "gen-api";
import { isGenApiError } from "gen-api";
import { describe, expect, test } from "vitest";
import { startGateway, startNode } from "../support/cluster.ts";

const code = `
export const value = (msg) => { if (msg === "boom") throw new Error("boom"); return msg; };
export function* values(msg) { if (msg === "boom") throw new Error("boom"); yield msg; }
export const hold = (info) => new Promise((resolve) => info.signal.addEventListener("abort", resolve));
export async function* holdOpen(info) { await hold(info); }
export const allow = () => true;
export const deny = () => false;
export const pass = () => undefined;
export const refuse = () => { throw new Error("no"); };
export const mend = () => ({ success: true, result: "mended" });
export const spoil = () => ({ success: false, error: "spoiled", error_code: "failed" });
export const nodes = () => ["gone"];
`;
const modules = { m: `data:text/javascript,${encodeURIComponent(code)}` };

/** One function, and one request for it. */
interface Case {
  readonly config: FunConfigInput;
  readonly request: HostRequest;
}

/** Functions of many kinds, and requests that each of their stages may refuse. */
const cases: readonly Case[] = fc
  .sample(
    fc.record({
      runOn: fc.constantFrom("worker" as const, "worker" as const, "main" as const),
      responseType: fc.constantFrom("sync" as const, "async" as const, "none" as const, "stream" as const),
      nodes: fc.constantFrom(
        "local" as const,
        "local" as const,
        "gone" as const,
        "empty" as const,
        "resolved" as const,
      ),
      retry: fc.constantFrom(null, 0, 1, { sameNode: 1 }),
      checkPermission: fc.constantFrom(false as const, { role: ["admin"] }),
      permissionCallback: fc.constantFrom(null, null, "m.allow", "m.deny"),
      beforeExecute: fc.constantFrom(null, null, null, "m.pass", "m.refuse"),
      afterExecute: fc.constantFrom(null, null, null, "m.pass", "m.mend", "m.spoil"),
      userId: fc.constantFrom("spent", null),
      isAdmin: fc.boolean(),
      isValid: fc.boolean(),
    }),
    { seed: 6, numRuns: 600 },
  )
  .map(({ userId, isAdmin, isValid, nodes, ...config }, index) => ({
    config: {
      ...config,
      service: "s",
      requestType: `f${index}`,
      mfa: config.responseType === "stream" ? "m.values" : "m.value",
      argTypes: { msg: "string" },
      timeout: 20_000,
      ...(nodes === "local"
        ? { nodes }
        : { runOn: "worker", nodes: nodes === "resolved" ? { module: "m", function: "nodes" } : [nodes] }),
    },
    request: {
      service: "s",
      requestType: `f${index}`,
      args: { msg: isValid ? "x" : 5 },
      userId,
      userRoles: isAdmin ? ["admin"] : [],
    },
  }));

const held = { service: "s", nodes: "local", requestInfo: true, timeout: "infinity" } as const;
const holding: readonly FunConfigInput[] = [
  { ...held, requestType: "hold", mfa: "m.hold" },
  { ...held, requestType: "hold_open", mfa: "m.holdOpen", responseType: "stream" },
];

/** What a request comes to, in the words of a dry run. */
async function outcomeOf(gateway: Gateway, { config, request }: Case): Promise<string> {
  if (config.responseType !== "stream") {
    const { success, error_code = "no code" } = await gateway.request(request);
    return success ? "would_run" : error_code;
  }
  try {
    for await (const _chunk of gateway.stream(request));
    return "would_run";
  } catch (error) {
    if (isGenApiError(error)) return error.code;
    throw error;
  }
}

/** A gateway with all functions, one of whose users has used up the limit, and a node that has none of them. */
async function start(workerPool: GatewayOptions["workerPool"]): Promise<Gateway> {
  const gateway = await startGateway({
    modules,
    workerPool: { threads: 1, ...workerPool },
    functions: [...cases.map(({ config }) => config), ...holding],
    rateLimiter: { globalLimits: [{ key: "userId", maxRequests: 1, windowMs: 600_000 }] },
  });
  gateway.rateLimiter.check("spent", "global", "userId");
  await startNode([gateway], { name: "empty", service: "s", modules: {}, functions: [], pushOnStartup: false });
  await gateway.nodes.whenUp("empty");
  return gateway;
}

/** Takes so many places in each of the pools. @returns how to free them */
async function fill(gateway: Gateway, places: number): Promise<() => void> {
  const controller = new AbortController();
  const { signal } = controller;
  for (let place = 0; place < places; place++) {
    void gateway.request({ service: "s", requestType: "hold" }, { signal });
    gateway
      .stream({ service: "s", requestType: "hold_open" }, { signal })
      .next()
      .catch(() => undefined);
  }
  const isFull = () => gateway.diagnostics.pools().every(({ inFlight, queued }) => inFlight + queued === places);
  await expect.poll(isFull).toBe(true);
  return () => controller.abort();
}

/** Compares each dry run with what follows at once. @param began called when all requests are under way */
async function compare(gateway: Gateway, began: () => void = () => undefined) {
  const compared = cases.map((each) => {
    const { outcome, isCertain } = gateway.diagnostics.inspectRequest(each.request);
    return { ...each, outcome, isCertain, really: outcomeOf(gateway, each) };
  });
  began();
  const certain = compared.filter(({ isCertain }) => isCertain);
  const wrong: object[] = [];
  for (const { really, ...each } of compared) {
    const came = await really;
    if (each.isCertain && came !== each.outcome) wrong.push({ ...each, came });
  }
  return { wrong, certain };
}

describe("what a dry run is certain of is what happens,", () => {
  test("where the pools have room", async () => {
    const { wrong, certain } = await compare(await start({}));
    expect(wrong).toEqual([]);
    const outcomes = new Set(certain.map(({ outcome }) => outcome));
    const expected = ["would_run", "permission_denied", "rate_limited", "unavailable", "invalid_argument"];
    expect([...outcomes].sort()).toEqual(expected.sort());
  });

  test("where requests have to wait for a place", async () => {
    const gateway = await start({ asyncPoolSize: 1, streamPoolSize: 1 });
    const { wrong, certain } = await compare(gateway, await fill(gateway, 1));
    expect(wrong).toEqual([]);
    expect(certain.length).toBeGreaterThan(100);
  });

  test("where the queues are full", async () => {
    const gateway = await start({ asyncPoolSize: 1, streamPoolSize: 1, maxQueueSize: 1 });
    const { wrong, certain } = await compare(gateway, await fill(gateway, 2));
    expect(wrong).toEqual([]);
    expect(certain.length).toBeGreaterThan(100);
  });

  test("where the functions' circuits are open", async () => {
    const gateway = await start({ circuitBreakerThreshold: 1 });
    for (const responseType of ["sync", "stream"] as const) {
      const mfa = responseType === "stream" ? "m.values" : "m.value";
      const config = { service: "s", requestType: responseType, nodes: "local", timeout: 5_000, mfa } as const;
      await gateway.configCache.add({ ...config, responseType, argTypes: { msg: "string" } });
      const request = { service: "s", requestType: responseType, args: { msg: "boom" } };
      const came = await outcomeOf(gateway, { config: { ...config, responseType }, request });
      expect(came).toBe("internal");
    }
    const { wrong, certain } = await compare(gateway);
    expect(wrong).toEqual([]);
    expect(certain.length).toBeGreaterThan(100);
  });
});
