import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { identity } from "../support/identity.ts";
import { failure, fixture, openPool, placeOf, run, start } from "./open-pool.ts";

describe("admission", () => {
  test("runs at most maxInFlight calls, queues as many as fit, and refuses the rest at once", async () => {
    await using pool = openPool({ maxInFlight: 2, maxQueueSize: 1 });
    const rejected: unknown[] = [];
    const listen = (message: unknown): number => rejected.push(message);
    subscribe("gen_api.worker_pool.task.rejected", listen);
    const held = [start(pool, "hold", [0]), start(pool, "hold", [1])];
    const queued = start(pool, "echo", ["queued"]);
    const refused = start(pool, "echo");
    expect(refused.answers).toBe(1);
    expect(await refused.outcome).toMatchObject({
      error: { code: "unavailable", message: "Service temporarily unavailable", canRetry: true },
      begun: false,
    });
    expect(rejected).toMatchObject([
      {
        measurements: { queue_size: 1 },
        metadata: { pool: "test_pool", service: "test", request_type: "echo", reason: "queue_full" },
      },
    ]);
    expect(pool.status()).toMatchObject({ inFlight: 2, queued: 1 });
    held[0]?.cancel("cancelled");
    queued.cancel("cancelled");
    // Neither had begun: their places are free at once.
    expect(pool.status()).toMatchObject({ inFlight: 1, queued: 0 });
    unsubscribe("gen_api.worker_pool.task.rejected", listen);
  });

  test("lets the queue through in its order", async () => {
    await using pool = openPool({ maxInFlight: 1 });
    const order: unknown[] = [];
    const calls = Array.from({ length: 20 }, (_, i) => start(pool, i % 2 === 0 ? "later" : "echo", [i]));
    calls[7]?.cancel("cancelled");
    for (const [i, call] of calls.entries()) if (i !== 7) void call.outcome.then(() => order.push(i));
    await calls.at(-1)?.outcome;
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    expect(calls[7]?.answers).toBe(0);
  });

  test("a call that waits for the import of its module holds up nobody else", async () => {
    await using pool = openPool();
    const folder = await mkdtemp(join(tmpdir(), "gen-api-"));
    const gate = join(folder, "gate");
    const module = `${fixture("slow-import.mjs")}?gate=${encodeURIComponent(gate)}`;
    const slow = [start(pool, "echo", [1], { module }), start(pool, "echo", [2], { module })];
    const givenUp = start(pool, "echo", [3], { module });
    expect(await run(pool, "echo", ["fast"])).toBe("fast");
    givenUp.cancel("cancelled");
    expect(slow.map((call) => call.answers)).toEqual([0, 0]);
    await writeFile(gate, "");
    expect(await slow[0]?.outcome).toMatchObject({ result: 1 });
    expect(await slow[1]?.outcome).toMatchObject({ result: 2 });
    expect(givenUp.answers).toBe(0);
    await rm(folder, { recursive: true });
  });
});

describe("results of one batch", () => {
  test("do not wait for a slow function behind them", async () => {
    await using pool = openPool();
    await run(pool, "echo");
    await pool.verify(placeOf(fixture("functions.mjs"), "waitForFlag"));
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const fast = start(pool, "echo", ["fast"]);
    const slow = start(pool, "waitForFlag", [flag]);
    await fast.outcome;
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
    expect(await slow.outcome).toMatchObject({ result: "told in time" });
  });
});

describe("cancelling", () => {
  test.each([
    ["timeout", "timeout"],
    ["cancelled", "cancelled"],
    ["disconnected", "cancelled"],
  ] as const)("for %s aborts the function's signal with a %s error, and nobody is answered", async (reason, code) => {
    await using pool = openPool();
    await pool.verify(placeOf(fixture("functions.mjs"), "untilAborted"));
    const call = start(pool, "untilAborted", [], { identity });
    const seen = run(pool, "abortReason");
    await run(pool, "echo");
    call.cancel(reason);
    expect(await seen).toBe(code);
    await run(pool, "echo");
    expect(call.answers).toBe(0);
    expect(pool.status().inFlight).toBe(0);
  });

  test("before the function is loaded keeps it from being called", async () => {
    await using pool = openPool();
    const module = fixture("heals.mjs");
    const call = start(pool, "heal", [], { module });
    call.cancel("cancelled");
    expect((await failure(pool, "work", [], { module })).error.cause).toMatchObject({ message: "not well" });
    expect(call.answers).toBe(0);
    expect(pool.status().inFlight).toBe(0);
  });

  test("after the answer does nothing", async () => {
    await using pool = openPool();
    const call = start(pool, "echo", [1]);
    await call.outcome;
    call.cancel("timeout");
    expect(call.answers).toBe(1);
    expect(pool.status()).toMatchObject({ inFlight: 0, queued: 0 });
  });
});

describe("the circuit breaker of a function", () => {
  test("opens after so many failures in a row, and leaves other functions alone", async () => {
    await using pool = openPool({ circuitBreakerThreshold: 3 });
    for (let i = 0; i < 3; i++) await failure(pool, "broken");
    const { module, moduleName, function: name } = placeOf(fixture("functions.mjs"), "broken");
    expect(pool.status().openCircuits).toEqual([{ module, moduleName, function: name, isRefusing: true }]);
    const refused = start(pool, "broken");
    expect(refused.answers).toBe(1);
    expect(await refused.outcome).toMatchObject({ error: { code: "unavailable" }, begun: false });
    expect(await run(pool, "echo", [1])).toBe(1);
  });

  test("counts timeouts and lost threads, but no GenApiError and nothing that the client cancelled", async () => {
    await using pool = openPool({ circuitBreakerThreshold: 1 });
    for (let i = 0; i < 3; i++) await failure(pool, "told");
    for (let i = 0; i < 3; i++) start(pool, "hold").cancel("cancelled");
    expect(pool.status().openCircuits).toEqual([]);
    // Alone there: however slow its thread is to tell, nobody else held it.
    const late = start(pool, "never");
    await run(pool, "echo");
    late.cancel("timeout");
    await run(pool, "echo");
    await failure(pool, "exit", [1]);
    expect(pool.status().openCircuits.map((circuit) => circuit.function)).toEqual(["never", "exit"]);
  });

  test("takes a thread's death for one failure of a function that had many calls there", async () => {
    await using pool = openPool({ circuitBreakerThreshold: 3 });
    const neighbours = Array.from({ length: 10 }, () => start(pool, "never"));
    await run(pool, "echo");
    await failure(pool, "exitLater");
    for (const neighbour of neighbours) expect(await neighbour.outcome).toMatchObject({ begun: true });
    expect(pool.status().openCircuits).toEqual([]);
  });

  test("lets a trial through after the cooldown, and closes when it succeeds", async () => {
    await using pool = openPool({ circuitBreakerThreshold: 1, circuitBreakerCooldownMs: 50 });
    const module = fixture("heals.mjs");
    await failure(pool, "work", [], { module });
    expect(pool.status().openCircuits).toHaveLength(1);
    await run(pool, "heal", [], { module });
    const closed = new Promise((resolve) => {
      const listen = (message: unknown): void => {
        unsubscribe("gen_api.worker_pool.circuit_breaker.close", listen);
        resolve(message);
      };
      subscribe("gen_api.worker_pool.circuit_breaker.close", listen);
    });
    let answer: unknown;
    while (answer !== "works") answer = await run(pool, "work", [], { module }).catch(() => run(pool, "later"));
    expect(await closed).toMatchObject({ metadata: { pool: "test_pool", service: "test", request_type: "work" } });
    expect(pool.status().openCircuits).toEqual([]);
  });
});
