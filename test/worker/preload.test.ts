import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { setEnvironmentData } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { startSystem } from "../../dist/actor/system.js";
import { systemClock } from "../../dist/core/time/clock.js";
import { WorkerPools } from "../../dist/runtime/program/worker-pools.js";
import type { PoolSettings } from "../../dist/worker/worker-pool-options.js";
import { workerPoolDefaults } from "../../dist/worker/worker-pool-options.js";
import { until } from "../support/until.ts";
import { failure, fixture, openPool, placeOf, run, start } from "./open-pool.ts";

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
async function openPreloading(modules: string[], options: Partial<PoolSettings> = {}) {
  const verified: string[] = [];
  const pool = openPool({ threads: 2, ...options, modules: verified });
  await until(() => pool.status().readyThreads === pool.status().threads);
  for (const module of modules) {
    await pool.verify(placeOf(module, "thread"));
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
    // The pool hears a moment later that an import has ended.
    await until(async () => (await threadsOf(pool, counting(), 30)).size === 3);
    expect(imports.ended).toBe(3);
    await failure(pool, "exit", [1]);
    await until(() => imports.ended === 4);
    pool.preload();
    await until(async () => (await threadsOf(pool, counting(), 30)).size === 3);
    expect(imports.begun).toBe(4);
  });

  test("is called on threads that have it, as long as there is one, at the start and when one was lost", async () => {
    const imports = new Imports();
    const module = counting("wait");
    await using pool = await openPreloading([module]);
    for (const begun of [2, 3]) {
      await until(() => imports.begun === begun);
      expect(await threadsOf(pool, module, 30)).toHaveLength(1);
      imports.openGate();
      await until(async () => (await threadsOf(pool, module, 30)).size === 2);
      imports.closeGate();
      await failure(pool, "exit", [1]);
    }
    await until(() => imports.begun === 4);
    imports.openGate();
  });

  test("waits for the thread that has it while that only seems busy, and nothing else waits with it", async () => {
    const imports = new Imports();
    const module = counting("wait");
    await using pool = await openPreloading([module]);
    await until(() => imports.begun === 2);
    const ask = async () => {
      const flag = new Int32Array(new SharedArrayBuffer(4));
      const computes = start(pool, "holdFor", [1_500, flag]);
      await until(() => Atomics.load(flag, 0) === 1);
      const calls = Array.from({ length: 10 }, () => start(pool, "thread", [], { module }));
      const givenUp = start(pool, "thread", [], { module });
      expect(await run(pool, "echo", ["elsewhere"])).toBe("elsewhere");
      givenUp.cancel("cancelled");
      return { computes, calls, givenUp };
    };
    let asked = await ask();
    // The computation may have gone to the other thread: then nothing waits, and it is tried again.
    while (asked.calls.some(({ answers }) => answers > 0)) {
      await asked.computes.outcome;
      asked = await ask();
    }
    const { computes, calls, givenUp } = asked;
    expect(computes.answers).toBe(0);
    for (const call of calls) expect(await call.outcome).toMatchObject({ json: expect.anything() });
    expect(imports.ended).toBe(1);
    expect(givenUp.answers).toBe(0);
    expect(pool.status()).toMatchObject({ inFlight: 0, queued: 0 });
    imports.openGate();
  });

  test("is called where its import ends, if that is sooner than a computation on the thread that has it", async () => {
    const imports = new Imports();
    const module = counting("wait");
    await using pool = await openPreloading([module]);
    await until(() => imports.begun === 2);
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const computes = start(pool, "holdFor", [20_000, flag]);
    await until(() => Atomics.load(flag, 0) === 1);
    const call = start(pool, "thread", [], { module });
    await run(pool, "echo");
    imports.openGate();
    expect(await call.outcome).toMatchObject({ json: expect.anything() });
    expect(computes.answers).toBe(0);
  });

  test("takes a thread on which its import never ends out of service for its own functions only", async () => {
    const imports = new Imports();
    const hanging = counting("hang");
    const other = counting("");
    await using pool = await openPreloading([hanging]);
    await until(() => imports.begun === 2);
    await until(async () => (await threadsOf(pool, other, 30)).size === 2);
    expect(await threadsOf(pool, hanging, 30)).toHaveLength(1);
  });

  test("and never lets a thread go costs that thread when its time to load is over, no other, and no call", async () => {
    const imports = new Imports();
    await using pool = await openPreloading([counting("loop")], { wedgeGraceMs: 200, loadTimeoutMs: 1_000 });
    const exit = threadExit();
    await until(() => imports.begun === 2);
    const calls = Array.from({ length: 10 }, (_, i) => start(pool, "echo", [i]));
    for (const call of calls) expect(await call.outcome).toMatchObject({ json: expect.anything() });
    await exit;
    await until(() => pool.status().readyThreads === 2);
    expect(imports.begun).toBe(2);
  });

  test("and ends each thread that does so costs each thread once, and the pool lives", async () => {
    const imports = new Imports();
    await using pool = await openPreloading([counting("exit")], { threads: 1 });
    for (let deaths = 0; deaths < 5; deaths++) {
      const begun = imports.begun;
      expect(await failure(pool, "exit", [1])).toMatchObject({ error: { code: "unavailable" }, begun: true });
      await until(() => imports.begun === begun + 1);
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
        circuitBreakerCooldownMs: circuitBreakerCooldownMs,
        wedgeGraceMs,
        streamStallTimeoutMs: 60_000,
        maxOutputBytesPerSecond: 1_048_576,
        resourceLimits: {},
      },
    });
    return { pools, system: startSystem({ name: "test", children: [pools.spec] }) };
  }

  test("is imported on every thread of the pool that runs it, and again when that was restarted", async () => {
    const imports = new Imports();
    const { pools, system } = startPools();
    await pools.verify(placeOf(counting(), "thread"), "sync");
    await until(() => imports.ended === 2);
    system.whereis("async_pool")?.send({ type: "actor.kill" });
    await until(() => imports.ended === 4);
    await pools.verify(placeOf(counting(), "thread"), "none");
    await pools.verify(placeOf(counting(), "threads"), "stream");
    await until(() => imports.ended === 6);
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
    await pools.verify(placeOf(module, responseType === "stream" ? "threads" : "thread"), responseType);
    const target = {
      service: "test",
      requestType: "x",
      version: null,
      module,
      moduleName: module,
      ofService: false,
      args: [],
      identity: null,
    };
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
    await expect(pools.verify(placeOf(counting(), "missing"), "sync")).rejects.toMatchObject({
      code: "function_missing",
    });
    await pools.verify(placeOf(counting("other"), "thread"), "sync");
    await until(() => imports.ended === 3);
    await system.shutdown();
    expect(imports.begun).toBe(3);
  });
});
