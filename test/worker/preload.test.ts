import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { setEnvironmentData } from "node:worker_threads";
import { describe, expect, test, vi } from "vitest";
import { startSystem } from "../../dist/actor/system.js";
import { systemClock } from "../../dist/core/clock.js";
import { WorkerPools } from "../../dist/runtime/worker-pools.js";
import type { WorkerPoolOptions } from "../../dist/worker/worker-pool-options.js";
import { workerPoolDefaults } from "../../dist/worker/worker-pool-options.js";
import { failure, fixture, openPool, run, start } from "./open-pool.ts";

/** What counts-imports.mjs notes, and its gate. */
class Imports {
  readonly #cells = new Int32Array(new SharedArrayBuffer(12));

  constructor() {
    setEnvironmentData("imports", this.#cells);
  }

  get begun(): number {
    return Atomics.load(this.#cells, 0);
  }

  get ended(): number {
    return Atomics.load(this.#cells, 2);
  }

  openGate(): void {
    Atomics.store(this.#cells, 1, 1);
    Atomics.notify(this.#cells, 1);
  }

  closeGate(): void {
    Atomics.store(this.#cells, 1, 0);
  }
}

function counting(then = ""): string {
  return `${fixture("counts-imports.mjs")}?then=${then}`;
}

/** A pool whose threads import `modules` ahead of their calls, from when one of them was seen to import it. */
async function openPreloading(modules: string[], options: Partial<WorkerPoolOptions> = {}) {
  const verified: string[] = [];
  const pool = openPool({ threads: 2, ...options, modules: verified });
  await vi.waitUntil(() => pool.status().readyThreads === pool.status().threads);
  for (const module of modules) {
    await pool.verify(module, "thread");
    verified.push(module);
    pool.preload();
  }
  return pool;
}

/** The threads that so many calls at a time run on. */
async function threadsOf(pool: Awaited<ReturnType<typeof openPreloading>>, module: string, calls: number) {
  return new Set(await Promise.all(Array.from({ length: calls }, () => run(pool, "thread", [], { module }))));
}

/** The next lost thread. */
function threadExit(): Promise<void> {
  return new Promise((resolve) => {
    const listen = (): void => {
      unsubscribe("gen_api.worker_pool.thread.exit", listen);
      resolve();
    };
    subscribe("gen_api.worker_pool.thread.exit", listen);
  });
}

describe("a module that is to be imported ahead of its calls", () => {
  test("is imported once on every thread, and on each that replaces a lost one", async () => {
    const imports = new Imports();
    await using pool = await openPreloading([counting()], { threads: 3 });
    await vi.waitUntil(() => imports.ended === 3);
    expect(await threadsOf(pool, counting(), 30)).toHaveLength(3);
    await failure(pool, "exit", [1]);
    await vi.waitUntil(() => imports.ended === 4);
    pool.preload();
    expect(await threadsOf(pool, counting(), 30)).toHaveLength(3);
    expect(imports.begun).toBe(4);
  });

  test("is called on threads that have it, as long as there is one, at the start and when one was lost", async () => {
    const imports = new Imports();
    const module = counting("wait");
    await using pool = await openPreloading([module]);
    for (const begun of [2, 3]) {
      await vi.waitUntil(() => imports.begun === begun);
      expect(await threadsOf(pool, module, 30)).toHaveLength(1);
      imports.openGate();
      await vi.waitUntil(async () => (await threadsOf(pool, module, 30)).size === 2);
      imports.closeGate();
      await failure(pool, "exit", [1]);
    }
    await vi.waitUntil(() => imports.begun === 4);
    imports.openGate();
  });

  test("takes a thread on which its import never ends out of service for its own functions only", async () => {
    const imports = new Imports();
    const hanging = counting("hang");
    const other = counting("");
    await using pool = await openPreloading([hanging]);
    await vi.waitUntil(() => imports.begun === 2);
    await vi.waitUntil(async () => (await threadsOf(pool, other, 30)).size === 2);
    expect(await threadsOf(pool, hanging, 30)).toHaveLength(1);
  });

  test("and never lets a thread go costs that thread, when a caller has given up, and no other", async () => {
    const imports = new Imports();
    await using pool = await openPreloading([counting("loop")], { wedgeGraceMs: 200 });
    await vi.waitUntil(() => imports.begun === 2);
    const exit = threadExit();
    const calls = Array.from({ length: 10 }, (_, i) => start(pool, "echo", [i]));
    await Promise.race(calls.map(({ outcome }) => outcome));
    // Behind the others of the thread that works.
    await run(pool, "thread", [], { module: counting("loop") });
    const behind = calls.filter(({ answers }) => answers === 0);
    behind[0]?.cancel("timeout");
    await exit;
    for (const call of behind.slice(1)) expect(await call.outcome).toMatchObject({ json: expect.anything() });
    await vi.waitUntil(() => pool.status().readyThreads === 2);
    expect(imports.begun).toBe(2);
  });

  test("and ends each thread that does so costs each thread once, and the pool lives", async () => {
    const imports = new Imports();
    await using pool = await openPreloading([counting("exit")], { threads: 1 });
    for (let deaths = 0; deaths < 5; deaths++) {
      const begun = imports.begun;
      expect(await failure(pool, "exit", [1])).toMatchObject({ error: { code: "unavailable" }, begun: true });
      await vi.waitUntil(() => imports.begun === begun + 1);
      expect(await run(pool, "echo", ["still here"])).toBe("still here");
    }
    expect(pool.status().state).toBe("running");
  });
});

describe("a module whose function was verified", () => {
  function startPools() {
    const { maxInFlight, maxQueueSize, circuitBreakerThreshold, circuitBreakerCooldownMs, wedgeGraceMs } =
      workerPoolDefaults;
    const pools = new WorkerPools({
      name: "test",
      clock: systemClock,
      workerPool: {
        threads: 2,
        asyncPoolSize: maxInFlight,
        streamPoolSize: maxInFlight,
        maxQueueSize,
        circuitBreakerThreshold,
        circuitBreakerCooldown: circuitBreakerCooldownMs,
        wedgeGraceMs,
        streamStallTimeoutMs: 60_000,
        resourceLimits: {},
      },
    });
    return { pools, system: startSystem({ name: "test", children: [pools.spec] }) };
  }

  test("is imported on every thread of both pools, and again when a pool was restarted", async () => {
    const imports = new Imports();
    const { pools, system } = startPools();
    await pools.verify(counting(), "thread", "sync");
    await vi.waitUntil(() => imports.ended === 4);
    system.whereis("stream_pool")?.send({ type: "actor.kill" });
    await vi.waitUntil(() => imports.ended === 6);
    await pools.verify(counting(), "threads", "stream");
    expect(imports.begun).toBe(6);
    await system.shutdown();
  });

  test.each(["sync", "stream"] as const)("answers at once where it runs: %s", async (responseType) => {
    const imports = new Imports();
    const { pools, system } = startPools();
    const module = counting("wait");
    // The first thread is busy: the module is verified on the second.
    const busy = pools[responseType === "stream" ? "stream" : "async"];
    start(busy, "never");
    await pools.verify(module, responseType === "stream" ? "threads" : "thread", responseType);
    const target = { service: "test", requestType: "x", version: null, module, args: [], identity: null };
    const answered = () =>
      new Promise((resolve, failed) => {
        const call = { ...target, maxResultBytes: 100, failed };
        if (responseType === "sync") pools.async.run({ ...call, function: "thread", succeeded: resolve });
        else pools.stream.stream({ ...call, function: "threads", chunk: resolve, ended: () => undefined });
      });
    await Promise.all([answered(), answered(), answered(), answered()]);
    expect(imports.ended).toBe(1);
    await system.shutdown();
  });

  test("is imported nowhere else when it could not be verified", async () => {
    const imports = new Imports();
    const { pools, system } = startPools();
    await expect(pools.verify(counting(), "missing", "sync")).rejects.toMatchObject({ code: "function_missing" });
    await pools.verify(counting("other"), "thread", "sync");
    await vi.waitUntil(() => imports.ended === 5);
    await system.shutdown();
    expect(imports.begun).toBe(5);
  });
});
