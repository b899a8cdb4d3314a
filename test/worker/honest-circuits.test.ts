import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { until } from "../support/until.ts";
import { failure, fixture, openPool, placeOf, run, start } from "./open-pool.ts";

// One failure would do.
const sensitive = { circuitBreakerThreshold: 1 };

/** A flag that a function sets when it is called, and how to wait for that. */
function createFlag() {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  return { flag, set: () => until(() => Atomics.load(flag, 0) === 1) };
}

describe("a call that times out before its function was called opens no circuit", () => {
  test("when it waited for a place", async () => {
    await using pool = openPool({ ...sensitive, maxInFlight: 1 });
    const held = start(pool, "never");
    const late = Array.from({ length: 12 }, () => start(pool, "echo"));
    for (const call of late) call.cancel("timeout");
    held.cancel("cancelled");
    expect(await run(pool, "echo", [1])).toBe(1);
    expect(pool.status()).toMatchObject({ openCircuits: [], inFlight: 0, queued: 0 });
  });

  test("when its thread computed for somebody else", async () => {
    await using pool = openPool(sensitive);
    await run(pool, "echo");
    const { flag, set } = createFlag();
    const computes = start(pool, "holdFor", [300, flag]);
    const late = Array.from({ length: 12 }, () => start(pool, "echo"));
    await set();
    for (const call of late) call.cancel("timeout");
    expect(await computes.outcome).toMatchObject({ result: "held" });
    expect(await run(pool, "echo", [1])).toBe(1);
    expect(pool.status()).toMatchObject({ openCircuits: [], inFlight: 0 });
  });

  test("when its module was still imported, or could not be", async () => {
    await using pool = openPool(sensitive);
    const folder = await mkdtemp(join(tmpdir(), "gen-api-"));
    const gate = join(folder, "gate");
    const module = `${fixture("slow-import.mjs")}?gate=${encodeURIComponent(gate)}`;
    const late = start(pool, "echo", [1], { module });
    await run(pool, "echo");
    late.cancel("timeout");
    await failure(pool, "echo", [1], { module: fixture("throws-at-import.mjs") });
    await writeFile(gate, "");
    expect(await run(pool, "echo", [2], { module })).toBe(2);
    expect(pool.status().openCircuits).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

test("a call says nothing of its function when its result waited to be read, because the main thread was held", async () => {
  await using pool = openPool(sensitive);
  await run(pool, "echo");
  /** @returns the call that ran last; null if the thread did not get all of them at once, so that they ran as ever */
  const hold = async () => {
    const { flag } = createFlag();
    const late = Array.from({ length: 12 }, () => start(pool, "echo"));
    const last = start(pool, "holdFor", [0, flag]);
    // The calls leave for the thread with this turn of the event loop; then nothing is read until all have run.
    const allRan = await new Promise<boolean>((resolve) => {
      setImmediate(() => {
        const end = performance.now() + 2_000;
        while (Atomics.load(flag, 0) === 0 && performance.now() < end) Atomics.wait(flag, 0, 0, 1);
        const isTold = Atomics.load(flag, 0) === 1;
        if (isTold) for (const call of late) call.cancel("timeout");
        resolve(isTold);
      });
    });
    if (allRan) return last;
    await Promise.all([...late, last].map(({ outcome }) => outcome));
    return null;
  };
  let last = await hold();
  while (last === null) last = await hold();
  expect(await last.outcome).toMatchObject({ result: "held" });
  expect(await run(pool, "echo", [1])).toBe(1);
  expect(pool.status()).toMatchObject({ openCircuits: [], inFlight: 0 });
});

test("a call that had begun, and timed out while its thread computed for another, says nothing of its function", async () => {
  await using pool = openPool(sensitive);
  await pool.verify(placeOf(fixture("functions.mjs"), "never"));
  const called = createFlag();
  const beside = start(pool, "never", [called.flag]);
  await called.set();
  await run(pool, "holdFor", [1]);
  const { flag, set } = createFlag();
  const computes = start(pool, "holdFor", [400, flag]);
  await set();
  beside.cancel("timeout");
  await computes.outcome;
  await run(pool, "echo");
  expect(pool.status()).toMatchObject({ openCircuits: [], inFlight: 0 });
});

test("a call that timed out while its thread was there for it has failed, and so has one that held the thread itself", async () => {
  await using pool = openPool(sensitive);
  await run(pool, "echo");
  const called = createFlag();
  const never = start(pool, "never", [called.flag]);
  await called.set();
  never.cancel("timeout");
  await run(pool, "echo");
  const { flag, set } = createFlag();
  const computes = start(pool, "holdFor", [200, flag]);
  await set();
  computes.cancel("timeout");
  await run(pool, "echo");
  expect(
    pool
      .status()
      .openCircuits.map((circuit) => circuit.function)
      .sort(),
  ).toEqual(["holdFor", "never"]);
});

test("a trial that never began leaves the circuit half open: the next call is the trial", async () => {
  await using pool = openPool({ ...sensitive, circuitBreakerCooldownMs: 20, maxInFlight: 1 });
  const module = fixture("heals.mjs");
  await failure(pool, "work", [], { module });
  await run(pool, "heal", [], { module });
  await until(() => pool.status().openCircuits.some(({ isRefusing }) => !isRefusing));
  const held = start(pool, "never");
  for (let i = 0; i < 3; i++) {
    const trial = start(pool, "work", [], { module });
    expect(trial.answers).toBe(0);
    trial.cancel("timeout");
  }
  held.cancel("cancelled");
  expect(await run(pool, "work", [], { module })).toBe("works");
  await until(() => pool.status().openCircuits.length === 0);
});
