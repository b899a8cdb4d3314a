import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setEnvironmentData } from "node:worker_threads";
import { expect, test } from "vitest";
import { until } from "../support/until.ts";
import { failure, fixture, openPool, run, start } from "./open-pool.ts";

/** A module that cannot be imported while it is down. */
async function createModule(file = "fails-while.mjs") {
  const folder = await mkdtemp(join(tmpdir(), "gen-api-"));
  const down = join(folder, "down");
  return {
    module: `${fixture(file)}?down=${encodeURIComponent(down)}`,
    goDown: () => writeFile(down, ""),
    comeUp: () => rm(down),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

test.each([1, 2])(
  "the first call after the reason for a failed import has passed succeeds, on %i threads",
  async (threads) => {
    await using what = await createModule();
    const { module } = what;
    await using pool = openPool({ threads });
    await what.goDown();
    for (let i = 0; i < threads; i++) {
      expect((await failure(pool, "echo", [1], { module })).error.cause).toMatchObject({ code: "module_unreadable" });
    }
    await what.comeUp();
    expect(await run(pool, "echo", [1], { module })).toBe(1);
    expect(pool.status()).toMatchObject({ openCircuits: [], inFlight: 0, queued: 0 });
  },
);

test("so does one on a thread that replaced a lost one, and failed to import the module ahead of its calls", async () => {
  await using what = await createModule();
  const { module } = what;
  await using pool = openPool({ modules: [module] });
  expect(await run(pool, "echo", [1], { module })).toBe(1);
  await what.goDown();
  await failure(pool, "exit", [1]);
  // The import is under way before this call is sent, and its failure is known when the call is answered.
  await run(pool, "later");
  await failure(pool, "echo", [2], { module });
  await what.comeUp();
  expect(await run(pool, "echo", [3], { module })).toBe(3);
});

test("calls of other modules that run on such a thread go on to their end, and those behind them are answered", async () => {
  await using what = await createModule();
  const { module } = what;
  await using pool = openPool();
  await run(pool, "echo");
  await what.goDown();
  await failure(pool, "echo", [1], { module });
  await what.comeUp();
  const held = start(pool, "hold", ["held"]);
  await run(pool, "echo");
  const healed = start(pool, "echo", [2], { module });
  const behind = start(pool, "echo", ["behind"]);
  // The thread is kept, when what runs there takes too long, and told once more that the module cannot be imported.
  expect(await healed.outcome).toMatchObject({ begun: false });
  expect(await behind.outcome).toMatchObject({ result: "behind" });
  await run(pool, "release");
  expect(await held.outcome).toMatchObject({ result: "held" });
  expect(await run(pool, "echo", [3], { module })).toBe(3);
});

test("a call does not wait for the end of a long computation on the thread that has its module: the other is replaced", async () => {
  await using what = await createModule();
  const { module } = what;
  await using pool = openPool({ threads: 2 });
  await what.goDown();
  // It keeps the first thread from being the one that fails to import the module.
  const elsewhere = start(pool, "never");
  await failure(pool, "echo", [1], { module });
  elsewhere.cancel("cancelled");
  await until(() => pool.status().inFlight === 0);
  await what.comeUp();
  expect(await run(pool, "echo", [2], { module })).toBe(2);
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const computes = start(pool, "holdFor", [20_000, flag]);
  await until(() => Atomics.load(flag, 0) === 1);
  expect(await run(pool, "echo", [3], { module })).toBe(3);
  expect(computes.answers).toBe(0);
});

test("a module that never can be imported costs a few threads in a while, not one for each call", async () => {
  await using pool = openPool({ threads: 2 });
  const module = fixture("throws-at-import.mjs");
  let exits = 0;
  const count = (): void => void exits++;
  subscribe("gen_api.worker_pool.thread.exit", count);
  for (let i = 0; i < 30; i++) {
    expect(await failure(pool, "echo", [i], { module })).toMatchObject({ error: { code: "internal" }, begun: false });
  }
  unsubscribe("gen_api.worker_pool.thread.exit", count);
  expect(exits).toBe(3);
  await until(() => pool.status().readyThreads === 2);
  expect(await run(pool, "echo", ["still here"])).toBe("still here");
});

test("a thread on which an import ahead of its calls never ends is replaced when its time to load is over", async () => {
  const module = `${fixture("counts-imports.mjs")}?then=hang`;
  const cells = new Int32Array(new SharedArrayBuffer(12));
  // The first thread to import it has it; the others wait for ever.
  Atomics.add(cells, 0, 1);
  setEnvironmentData("imports", cells);
  await using pool = openPool({ modules: [module], loadTimeoutMs: 100, pingIntervalMs: 20 });
  const replaced = new Promise<void>((resolve) => {
    const listen = (): void => {
      unsubscribe("gen_api.worker_pool.thread.exit", listen);
      resolve();
    };
    subscribe("gen_api.worker_pool.thread.exit", listen);
  });
  await until(() => Atomics.load(cells, 0) === 2);
  expect(await run(pool, "echo", [1])).toBe(1);
  await replaced;
  expect(await run(pool, "echo", [2])).toBe(2);
});

test("so is one on which an import for a call never ends, while other calls of the module go on coming", async () => {
  await using what = await createModule("hangs-while.mjs");
  const { module } = what;
  await using pool = openPool({ loadTimeoutMs: 300, pingIntervalMs: 50 });
  await what.goDown();
  const first = start(pool, "echo", [1], { module });
  // The thread answers others meanwhile.
  expect(await run(pool, "echo", ["other"])).toBe("other");
  await what.comeUp();
  first.cancel("timeout");
  expect(await run(pool, "echo", [2], { module })).toBe(2);
  expect(pool.status()).toMatchObject({ openCircuits: [], inFlight: 0, queued: 0 });
});
