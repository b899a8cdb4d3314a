import { spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../dist/core/time/clock.js";
import { until } from "../support/until.ts";
import { failure, fixture, openPool, placeOf, run, start } from "./open-pool.ts";

describe("closing a pool", () => {
  test("refuses new calls, and answers those it has, the queued among them, as unavailable", async () => {
    const pool = openPool({ maxInFlight: 1 });
    const running = start(pool, "never");
    const queued = start(pool, "echo");
    const closed = Promise.all([pool.close(), pool.close()]);
    expect(pool.status().state).toBe("draining");
    expect(await failure(pool, "echo")).toMatchObject({ error: { code: "unavailable" }, begun: false });
    await closed;
    expect(await running.outcome).toMatchObject({ error: { code: "unavailable" } });
    expect(await queued.outcome).toMatchObject({ error: { code: "unavailable" }, begun: false });
    expect([running.answers, queued.answers]).toEqual([1, 1]);
    expect(pool.status()).toMatchObject({ state: "closed", inFlight: 0, queued: 0 });
  });

  test.each(["task.start", "thread.exit"])("while it tells of %s leaves no call without its answer", async (event) => {
    const pool = openPool();
    await pool.verify(placeOf(fixture("functions.mjs"), "exit"));
    const closed = new Promise<void>((resolve) => {
      const listen = (): void => {
        unsubscribe(`gen_api.worker_pool.${event}`, listen);
        resolve(pool.close());
      };
      subscribe(`gen_api.worker_pool.${event}`, listen);
    });
    const calls = [start(pool, "exit", [1]), start(pool, "echo")];
    await closed;
    for (const call of calls) expect(await call.outcome).toMatchObject({ error: { code: "unavailable" } });
  });

  test("before its threads have started is as good", async () => {
    const pool = openPool({ threads: 3 });
    await pool.close();
    expect(pool.status().state).toBe("closed");
  });

  test("ends a thread that hangs in a loop", async () => {
    const pool = openPool();
    await run(pool, "echo");
    const wedged = start(pool, "forever");
    await pool.close();
    expect(await wedged.outcome).toMatchObject({ error: { code: "unavailable" } });
  });

  test("waits until all its threads and ports are gone, those that were lost before among them", async () => {
    const ports = (): number => process.getActiveResourcesInfo().filter((name) => name === "MessagePort").length;
    const before = ports();
    const pool = openPool({ threads: 2, wedgeGraceMs: 100 });
    await Promise.all([run(pool, "echo"), run(pool, "echo")]);
    start(pool, "forever").cancel("timeout");
    await failure(pool, "exit", [1]);
    await until(() => pool.status().inFlight === 0);
    await pool.close();
    expect(ports()).toBe(before);
  });

  test("leaves nothing that keeps the process alive, whatever happened before", async () => {
    const child = spawn(process.execPath, [new URL(fixture("open-and-close.mjs")).pathname], {
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 100_000,
    });
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    const [code] = await once(child, "exit");
    expect(output).toBe("closed, nothing left\n");
    expect(code).toBe(0);
  });
});

test("a thread that is ready only when its pool has closed sets no timer", async () => {
  const pending = new Set<unknown>();
  // Ten times slower than the machine's: the thread has the time to start while its pool closes.
  const clock: Clock = {
    ...systemClock,
    setTimeout(run, ms) {
      const timer = setTimeout(() => {
        pending.delete(timer);
        run();
      }, Math.min(ms, 1_000) * 10);
      pending.add(timer);
      return timer;
    },
    clearTimeout(timer) {
      pending.delete(timer);
      clearTimeout(timer as NodeJS.Timeout);
    },
  };
  const pool = openPool({ clock, threads: 1, modules: [fixture("functions.mjs")] });
  await pool.close();
  expect(pending.size).toBe(0);
});
