import { describe, expect, test } from "vitest";
import { type HealthFacts, healthOf, unreadyReasons } from "../../src/diagnostics/health.ts";
import type { WorkerPoolStatus } from "../../src/worker/worker-pool-options.ts";

const pool: WorkerPoolStatus = {
  name: "async_pool",
  state: "running",
  threads: 2,
  readyThreads: 2,
  oldThreads: 0,
  inFlight: 0,
  queued: 0,
  nestedInFlight: 0,
  nestedQueued: 0,
  maxInFlight: 10,
  maxQueueSize: 100,
  openCircuits: [],
};

const well: HealthFacts = {
  now: 1_000_000,
  isRunning: true,
  isDraining: false,
  isListening: true,
  pools: [pool],
  cutOffBecause: null,
  hasReadFunctions: true,
  unreadBecause: null,
  missingServices: [],
  services: [],
  restarted: [],
};

const judge = (changes: Partial<HealthFacts>) => {
  const { status, isReady, reasons } = healthOf({ ...well, ...changes });
  return [status, isReady, ...reasons.map(({ code, subject }) => (subject === null ? code : `${code} ${subject}`))];
};

test("a gateway with which nothing is wrong is ok; so is one that is to listen nowhere", () => {
  expect(judge({})).toEqual(["ok", true]);
  expect(judge({ isListening: null })).toEqual(["ok", true]);
});

describe("it is down, and not ready,", () => {
  test.each<[string, Partial<HealthFacts>, string]>([
    ["when it has stopped", { isRunning: false }, "stopped"],
    ["while it drains", { isDraining: true }, "draining"],
    ["when it does not listen", { isListening: false }, "not_listening"],
    ["without a pool", { pools: [{ ...pool, state: "closed" }] }, "pool_down async_pool"],
    ["with a pool that failed", { pools: [{ ...pool, state: "failed" }] }, "pool_down async_pool"],
  ])("%s", (_when, changes, reason) => {
    expect(judge(changes)).toEqual(["down", false, reason]);
  });
});

describe("it is degraded,", () => {
  test("and not ready, while an expected service is missing; that it has no nodes is not told twice", () => {
    const services = [{ service: "orders", hasLiveNodes: false }];
    expect(judge({ missingServices: ["orders"], services })).toEqual(["degraded", false, "service_missing orders"]);
  });

  test("and ready, while it is cut off from its nodes; not ready until it has read once what gateways share", () => {
    expect(judge({ cutOffBecause: "nats: lost" })).toEqual(["degraded", true, "cut_off"]);
    expect(judge({ hasReadFunctions: false })).toEqual(["degraded", false, "functions_not_read"]);
    const reasons = unreadyReasons(healthOf({ ...well, cutOffBecause: "nats: the connection to NATS was lost" }));
    expect(reasons).toEqual([
      {
        code: "cut_off",
        subject: null,
        message: "the gateway cannot reach its nodes and the other gateways: nats: the connection to NATS was lost",
      },
    ]);
    expect(judge({ isRunning: false, cutOffBecause: "nats: lost" })).toEqual(["down", false, "stopped"]);
  });

  test("and ready, while it cannot read again what gateways share", () => {
    expect(judge({ unreadBecause: "stream not found" })).toEqual(["degraded", true, "functions_outdated"]);
    expect(judge({ unreadBecause: "stream not found", hasReadFunctions: false })).toEqual([
      "degraded",
      false,
      "functions_not_read",
    ]);
    const reasons = unreadyReasons(healthOf({ ...well, unreadBecause: "stream not found" }));
    expect(reasons).toMatchObject([{ message: expect.stringMatching(/what gateways share.*: stream not found$/) }]);
  });

  test("and ready, when all nodes of a service are gone", () => {
    const services = [
      { service: "orders", hasLiveNodes: false },
      { service: "users", hasLiveNodes: true },
      { service: "local", hasLiveNodes: null },
    ];
    expect(judge({ services })).toEqual(["degraded", true, "service_without_nodes orders"]);
  });

  test("when circuits are open, the queue is filling, or no thread takes what waits", () => {
    const openCircuits = [{ module: "file:///m.js", moduleName: "m", function: "f", isRefusing: true }];
    expect(judge({ pools: [{ ...pool, openCircuits }] })).toEqual(["degraded", true, "circuit_open async_pool"]);
    expect(judge({ pools: [{ ...pool, queued: 80 }] })).toEqual(["ok", true]);
    expect(judge({ pools: [{ ...pool, queued: 81 }] })).toEqual(["degraded", true, "queue_filling async_pool"]);
    expect(judge({ pools: [{ ...pool, readyThreads: 0 }] })).toEqual(["ok", true]);
    const stuck = [{ ...pool, readyThreads: 0, queued: 1 }];
    expect(judge({ pools: stuck })).toEqual(["degraded", true, "pool_without_threads async_pool"]);
  });

  test("for a minute after an actor crashed, and while one cannot be started", () => {
    const actor = { id: "config_cache", status: "running", restarts: 2, restartedAt: 1_000_000 - 59_999 } as const;
    expect(judge({ restarted: [actor] })).toEqual(["degraded", true, "actor_restarted config_cache"]);
    expect(judge({ restarted: [{ ...actor, restartedAt: 940_000 }] })).toEqual(["ok", true]);
    const failing = { ...actor, status: "restarting", restartedAt: null } as const;
    expect(judge({ restarted: [failing] })).toEqual(["degraded", true, "actor_restarting config_cache"]);
  });
});

test("of many reasons the worst comes first", () => {
  const openCircuits = [{ module: "file:///m.js", moduleName: "m", function: "f", isRefusing: true }];
  const pools = [
    { ...pool, openCircuits },
    { ...pool, name: "stream_pool", state: "failed" as const },
  ];
  const judged = judge({ pools, missingServices: ["orders"] });
  expect(judged).toEqual(["down", false, "pool_down stream_pool", "circuit_open async_pool", "service_missing orders"]);
});
