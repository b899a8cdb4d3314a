import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, test } from "vitest";
import type { GenApiError } from "../../dist/core/errors.js";
import { until } from "../support/until.ts";
import { failure, fixture, openPool, placeOf, run, start } from "./open-pool.ts";

const unavailable = {
  code: "unavailable",
  message: "Service temporarily unavailable",
  canRetry: true,
};
const impatient = { wedgeGraceMs: 200, pingIntervalMs: 50 };

/** The next event of this name. */
function next(event: string): Promise<{ metadata: { error: Error } }> {
  return new Promise((resolve) => {
    const listen = (message: unknown): void => {
      unsubscribe(`gen_api.${event}`, listen);
      resolve(message as { metadata: { error: Error } });
    };
    subscribe(`gen_api.${event}`, listen);
  });
}

describe("a function that ends its thread", () => {
  test.each(["exit", "exitLater"])("with process.exit (%s) is unavailable, and the next call works", async (name) => {
    await using pool = openPool();
    const exit = next("worker_pool.thread.exit");
    expect(await failure(pool, name, [3])).toMatchObject({ error: unavailable, begun: true });
    expect((await exit).metadata.error.message).toContain("exited with code");
    expect(await run(pool, "echo", ["still here"])).toBe("still here");
  });

  test("by taking all its memory is unavailable, and the next call works", async () => {
    await using pool = openPool({ resourceLimits: { maxOldGenerationSizeMb: 32 } });
    const { error, begun } = await failure(pool, "memory");
    expect(error).toMatchObject({ ...unavailable, cause: { code: "ERR_WORKER_OUT_OF_MEMORY" } });
    expect(begun).toBe(true);
    expect(await run(pool, "echo", ["still here"])).toBe("still here");
  });

  test("does not take along results that were made before, nor calls that had not begun", async () => {
    await using pool = openPool();
    await run(pool, "echo");
    const before = Array.from({ length: 5 }, (_, i) => start(pool, "echo", [i]));
    const exit = start(pool, "exit", [1]);
    const after = Array.from({ length: 5 }, (_, i) => start(pool, "echo", [i]));
    expect(await exit.outcome).toMatchObject({ error: unavailable, begun: true });
    for (const [i, call] of [...before, ...after].entries())
      expect(await call.outcome).toMatchObject({ result: i % 5 });
    expect([...before, ...after, exit].map((call) => call.answers)).toEqual(Array(11).fill(1));
    expect(pool.status().inFlight).toBe(0);
  });

  test("takes along the neighbours that had begun there", async () => {
    await using pool = openPool();
    const neighbour = start(pool, "never");
    await run(pool, "echo");
    expect(await failure(pool, "exit", [1])).toMatchObject({ begun: true });
    expect(await neighbour.outcome).toMatchObject({ error: unavailable, begun: true });
  });

  test("when its module is imported is given up after three threads, without having begun", async () => {
    await using pool = openPool();
    const module = fixture("exit-at-import.mjs");
    expect(await failure(pool, "echo", [], { module })).toMatchObject({ error: unavailable, begun: false });
    expect(await run(pool, "echo", ["still here"])).toBe("still here");
  });
});

describe("a function that never lets its thread go", () => {
  test.each([
    // The timeout itself has the thread pinged.
    ["forever", 60_000],
    // The thread still answers that ping, the next ones not.
    ["foreverLater", 50],
  ])("%s: its thread is replaced after its timeout", async (name, pingIntervalMs) => {
    await using pool = openPool({ wedgeGraceMs: 200, pingIntervalMs });
    await pool.verify(placeOf(fixture("functions.mjs"), name));
    await run(pool, "echo");
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const wedged = start(pool, name, [flag]);
    const exit = next("worker_pool.thread.exit");
    await until(() => Atomics.load(flag, 0) === 1);
    wedged.cancel("timeout");
    const behind = Array.from({ length: 10 }, (_, i) => start(pool, "echo", [i]));
    expect((await exit).metadata.error.message).toContain("stood still");
    for (const [i, call] of behind.entries()) expect(await call.outcome).toMatchObject({ result: i });
    expect(wedged.answers).toBe(0);
    expect(pool.status().inFlight).toBe(0);
  });

  test("but one whose caller waits lives, however many give up that waited behind it, or ran beside it", async () => {
    await using pool = openPool(impatient);
    await pool.verify(placeOf(fixture("functions.mjs"), "holdFor"));
    const beside = start(pool, "never");
    await run(pool, "echo");
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const computes = start(pool, "holdFor", [1_000, flag]);
    const behind = Array.from({ length: 5 }, () => start(pool, "echo"));
    await until(() => Atomics.load(flag, 0) === 1);
    for (const call of [beside, ...behind]) call.cancel("timeout");
    expect(await computes.outcome).toMatchObject({ result: "held" });
  });

  test("nor does a promise that never settles, of a call that was given up long ago, condemn its thread", async () => {
    await using pool = openPool(impatient);
    await pool.verify(placeOf(fixture("functions.mjs"), "holdFor"));
    const never = start(pool, "never");
    await run(pool, "echo");
    never.cancel("timeout");
    await run(pool, "echo");
    expect(await run(pool, "holdFor", [1_000])).toBe("held");
  });

  test("and what computes on when its call was answered does not keep the pool from its work", async () => {
    await using pool = openPool({ wedgeGraceMs: 200 });
    await run(pool, "echo");
    const exit = next("worker_pool.thread.exit");
    const flag = new Int32Array(new SharedArrayBuffer(4));
    await run(pool, "strayLoop", [flag]);
    await until(() => Atomics.load(flag, 0) === 1);
    expect(await run(pool, "echo", ["on a new thread"])).toBe("on a new thread");
    expect((await exit).metadata.error.message).toContain("stood still");
  });

  test("but one that computes for longer than the grace, and whose caller waits, lives; others take the new calls", async () => {
    await using pool = openPool({ ...impatient, threads: 2 });
    await pool.verify(placeOf(fixture("functions.mjs"), "holdFor"));
    await run(pool, "holdFor", [1]);
    const computes = start(pool, "holdFor", [1_000]);
    const during = Promise.all(Array.from({ length: 20 }, (_, i) => run(pool, "echo", [i])));
    expect(await during).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(await computes.outcome).toMatchObject({ result: "held" });
  });

  test("but a thread deep in a batch of calls, each shorter than the grace, lives", async () => {
    await using pool = openPool({ wedgeGraceMs: 600, pingIntervalMs: 50 });
    await pool.verify(placeOf(fixture("functions.mjs"), "holdFor"));
    const calls = Array.from({ length: 8 }, () => start(pool, "holdFor", [150]));
    for (const call of calls) expect(await call.outcome).toMatchObject({ result: "held" });
  });

  test("and a promise that never settles holds neither its thread nor, once it is given up, its place", async () => {
    await using pool = openPool({ maxInFlight: 1, maxQueueSize: 1 });
    await pool.verify(placeOf(fixture("functions.mjs"), "never"));
    for (let round = 0; round < 5; round++) {
      const never = start(pool, "never");
      never.cancel("timeout");
      expect(await run(pool, "echo", ["runs after"])).toBe("runs after");
      expect(never.answers).toBe(0);
    }
    expect(pool.status().inFlight).toBe(0);
  });

  test("and what a call that was given up comes to late is not taken for the answer of the next in its place", async () => {
    await using pool = openPool({ maxInFlight: 1, maxQueueSize: 10 });
    await pool.verify(placeOf(fixture("functions.mjs"), "hold"));
    const given = start(pool, "hold", ["late"]);
    const next = start(pool, "hold", ["next"]);
    given.cancel("cancelled");
    await until(() => pool.status().queued === 0);
    const released = start(pool, "release");
    next.cancel("cancelled");
    expect(await released.outcome).toMatchObject({ json: expect.anything() });
    expect(await run(pool, "echo", ["clean"])).toBe("clean");
    expect([given.answers, next.answers]).toEqual([0, 0]);
  });
});

describe("a stray error of the user's code", () => {
  test.each([
    ["strayRejection", "a stray rejection"],
    ["strayThrow", "a stray throw"],
  ])("%s harms no call and is told", async (name, message) => {
    await using pool = openPool();
    const stray = next("worker_pool.thread.stray_error");
    const neighbour = start(pool, "hold", ["neighbour"]);
    expect(await run(pool, name)).toBe("ok");
    expect((await stray).metadata.error.message).toBe(message);
    await run(pool, "release");
    expect(await neighbour.outcome).toMatchObject({ result: "neighbour" });
  });
});

describe("a pool whose threads die at once", () => {
  test.each([
    ["its file throws when imported", { threadFile: new URL(fixture("throws-at-import.mjs")) }],
    ["its file ends the thread", { threadFile: new URL(fixture("exit-at-import.mjs")) }],
    ["their memory does not suffice to start", { resourceLimits: { maxOldGenerationSizeMb: 4 } }],
  ])("because %s gives up, answers its calls, and tells its owner", async (_, options) => {
    let fail!: (error: GenApiError) => void;
    const failed = new Promise<GenApiError>((resolve) => {
      fail = resolve;
    });
    await using pool = openPool({ ...options, threads: 2, onFailed: fail });
    const call = start(pool, "echo");
    expect(await call.outcome).toMatchObject({ error: unavailable, begun: false });
    expect((await failed).message).toContain("test_pool cannot keep its threads");
    expect(pool.status().state).toBe("failed");
    expect(await failure(pool, "echo")).toMatchObject({ error: unavailable, begun: false });
  });
});
