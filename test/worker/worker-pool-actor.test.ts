import { describe, expect, test } from "vitest";
import { childSpec } from "../../dist/actor/supervisor/child-spec.js";
import { startSystem } from "../../dist/actor/system.js";
import { systemClock } from "../../dist/core/time/clock.js";
import { createPool, type PoolOptions } from "../../dist/worker/worker-pool.actor.js";
import { failure, fixture, placeOf, run, start } from "./open-pool.ts";

function startTree(options: Partial<PoolOptions> = {}) {
  const pool = createPool({ program: "test", name: "async_pool", clock: systemClock, threads: 1, ...options });
  const system = startSystem({
    name: "test",
    children: [childSpec({ id: "async_pool", name: "async_pool", logic: pool.logic })],
  });
  return { pool, system };
}

describe("a pool in a tree", () => {
  test("runs calls, and answers those it has when the tree stops", async () => {
    const { pool, system } = startTree();
    expect(await run(pool, "echo", [1])).toBe(1);
    const call = start(pool, "never");
    expect(await system.shutdown()).toEqual({ reason: "stopped" });
    expect(await call.outcome).toMatchObject({ error: { code: "unavailable" } });
    expect(await failure(pool, "echo")).toMatchObject({ error: { code: "unavailable" }, begun: false });
    await expect(pool.verify(placeOf(fixture("functions.mjs"), "echo"))).rejects.toMatchObject({ code: "unavailable" });
    expect(pool.status()).toBe(null);
  });

  test("whose actor is killed answers its calls unavailable, once, and a new one takes its place", async () => {
    const { pool, system } = startTree();
    const call = start(pool, "never");
    await run(pool, "echo");
    system.whereis("async_pool")?.send({ type: "actor.kill" });
    expect(await call.outcome).toMatchObject({ error: { code: "unavailable" }, begun: true });
    expect(await run(pool, "echo", ["again"])).toBe("again");
    expect(call.answers).toBe(1);
    await system.shutdown();
  });

  test("that cannot keep its threads is restarted, until its supervisor gives up", async () => {
    const { pool, system } = startTree({ threadFile: new URL(fixture("throws-at-import.mjs")) });
    expect(await system.closed).toMatchObject({ reason: "error", error: { code: "max_restarts" } });
    expect(await failure(pool, "echo")).toMatchObject({ error: { code: "unavailable" }, begun: false });
  });
});
