import { MessageChannel } from "node:worker_threads";
import { describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/core/time/clock.ts";

test.each([2 ** 31, 1e15, Number.POSITIVE_INFINITY])("a timer of %d ms does not fire at once", (ms) => {
  const set = vi.spyOn(globalThis, "setTimeout");
  const timer = systemClock.setTimeout(() => undefined, ms);
  expect(set.mock.calls.map(([, given]) => given)).toEqual([2 ** 31 - 1]);
  systemClock.clearTimeout(timer);
  set.mockRestore();
});

describe("a timer that is late because this process stood still", () => {
  /** Blocks this thread. */
  function hold(ms: number): void {
    const end = performance.now() + ms;
    while (performance.now() < end);
  }

  test("runs after what has come meanwhile was heard, so that nobody who answered in time is given up", async () => {
    const { port1, port2 } = new MessageChannel();
    const outcome = new Promise((resolve) => {
      const timer = systemClock.setTimeout(() => resolve("given up"), 50);
      port1.on("message", () => {
        systemClock.clearTimeout(timer);
        resolve("heard");
      });
    });
    port2.postMessage("in time");
    hold(400);
    expect(await outcome).toBe("heard");
    port1.close();
  });

  test("runs once, in order, and can be called off until it has run", async () => {
    const runs: string[] = [];
    const off = systemClock.setTimeout(() => runs.push("called off"), 10);
    systemClock.setTimeout(() => {
      runs.push("first");
      systemClock.clearTimeout(off);
    }, 5);
    const last = new Promise<void>((resolve) => {
      systemClock.setTimeout(() => {
        runs.push("last");
        resolve();
      }, 15);
    });
    hold(300);
    await last;
    expect(runs).toEqual(["first", "last"]);
  });

  test("is any timer of Node's, too, for who calls it off", async () => {
    let runs = 0;
    systemClock.clearTimeout(setTimeout(() => (runs += 1), 1));
    systemClock.clearTimeout(undefined);
    await new Promise<void>((resolve) => void systemClock.setTimeout(resolve, 20));
    expect(runs).toBe(0);
  });
});
