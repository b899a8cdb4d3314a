import { startGenApi } from "gen-api";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../../src/core/time/clock.ts";
import { HostClock } from "../../../src/core/time/host-clock.ts";
import { resolveOptions } from "../../../src/runtime/options/options.ts";
import { resolveServiceNodeOptions } from "../../../src/runtime/options/service-node-options.ts";
import { recordEvents } from "../../support/record-events.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { until } from "../../support/until.ts";

/** A clock that stands still, but for what is given. */
function clockWith(given: Partial<Record<keyof Clock, unknown>>): Clock {
  return { now: () => 5, systemTime: () => 7, setTimeout: () => 1, clearTimeout: () => undefined, ...given } as Clock;
}

/** As a program has it, with what it is told that the clock did wrong. */
function hostClock(clock: Clock): { readonly clock: HostClock; readonly faults: string[] } {
  const faults: string[] = [];
  return { clock: new HostClock(clock, (method, problem) => void faults.push(`${method} ${problem}`)), faults };
}

function throws(): never {
  throw new Error("broken");
}

// biome-ignore format: one row a line
const faults: readonly (readonly [string, unknown, string])[] = [
  ["no object", 5, "clock must be a clock with now, systemTime, setTimeout and clearTimeout, got 5"],
  ["no timers", { now: () => 1, systemTime: () => 1 }, "clock must be a clock with now, systemTime, setTimeout and clearTimeout, got map"],
  ["a text", clockWith({ now: () => "5" }), 'clock must return milliseconds, a finite number, from now(), got "5"'],
  ["NaN", clockWith({ now: () => Number.NaN }), "clock must return milliseconds, a finite number, from now(), got NaN"],
  ["Infinity", clockWith({ systemTime: () => Number.POSITIVE_INFINITY }), "clock must return milliseconds, a finite number, from systemTime(), got Infinity"],
  ["a promise that rejects", clockWith({ now: () => Promise.reject(new Error("unheard")) }), "clock must return milliseconds, a finite number, from now(), got map"],
  ["a throw", clockWith({ systemTime: throws }), "clock must return milliseconds from systemTime(), but it threw: broken"],
  ["timers that throw", clockWith({ setTimeout: throws }), "clock must set and clear timers, but it threw: broken"],
  ["timers that cannot be called off", clockWith({ clearTimeout: throws }), "clock must set and clear timers, but it threw: broken"],
];

test.each(faults)("a clock with %s is refused at the start", (_, clock, fault) => {
  for (const resolve of [resolveOptions, resolveServiceNodeOptions]) {
    expect(() => resolve({ clock })).toThrow(
      expect.objectContaining({ code: "invalid_option", message: expect.stringContaining(fault) }),
    );
  }
});

describe("a clock that misbehaves later", () => {
  test("stands still where it goes back, throws or gives no number", () => {
    let next: () => unknown = () => 10;
    const { clock, faults } = hostClock(clockWith({ now: () => next() }));
    const times = [() => 20, () => 15, throws, () => Number.NaN, () => "30", () => Promise.reject(1), () => 21];
    expect(
      times.map((time) => {
        next = time;
        return clock.now();
      }),
    ).toEqual([20, 20, 20, 20, 20, 20, 21]);
    expect(faults).toEqual([
      "now went back from 20 to 15",
      "now threw: broken",
      "now returned NaN",
      'now returned "30"',
      "now returned map",
    ]);
  });

  test("has the machine's date where it has none", () => {
    const before = Date.now();
    const broken = hostClock(clockWith({ systemTime: throws }));
    expect(broken.clock.systemTime()).toBeGreaterThanOrEqual(before);
    expect(broken.faults).toEqual(["systemTime threw: broken"]);
    const early = hostClock(clockWith({ systemTime: () => -7 }));
    expect([early.clock.systemTime(), early.faults]).toEqual([-7, []]);
  });

  test("has the machine's timers where it sets none", async () => {
    const { clock, faults } = hostClock(clockWith({ setTimeout: throws, clearTimeout: throws }));
    const runs: string[] = [];
    clock.clearTimeout(clock.setTimeout(() => runs.push("called off"), 1));
    expect(faults).toEqual(["setTimeout threw: broken", "clearTimeout threw: broken"]);
    await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
    expect(runs).toEqual([]);
  });

  test("runs a timer once, after the call that set it, and not when it was called off", async () => {
    const set: (() => void)[] = [];
    const { clock } = hostClock(
      clockWith({
        setTimeout(run: () => void) {
          run();
          set.push(run);
        },
      }),
    );
    const runs: string[] = [];
    clock.setTimeout(() => runs.push("once"), 5);
    const off = clock.setTimeout(() => runs.push("called off"), 5);
    expect(runs).toEqual([]);
    clock.clearTimeout(off);
    await new Promise((resolve) => setImmediate(resolve));
    for (const run of set) run();
    expect(runs).toEqual(["once"]);
  });
});

test("a clock that tests turn is as it was", () => {
  const simulated = new SimulatedClock();
  const { clock, faults } = hostClock(simulated);
  const runs: number[] = [];
  clock.setTimeout(() => runs.push(clock.now()), 50);
  clock.clearTimeout(clock.setTimeout(() => runs.push(-1), 60));
  simulated.advance(100);
  expect([runs, clock.now(), simulated.pending, faults]).toEqual([[50], 100, 0, []]);
});

test("what a gateway's clock does wrong is told at the first time, and not at each", async () => {
  using events = recordEvents("clock.exception");
  let isBroken = false;
  const system = { setTimeout, clearTimeout, systemTime: () => Date.now() };
  const clock = { ...system, now: () => (isBroken ? throws() : performance.now()) } as Clock;
  const lines: object[] = [];
  const write = (record: object) => void lines.push(record);
  const logger = { debug: () => undefined, info: () => undefined, warn: write, error: write };
  await using gateway = await startGenApi({ clock, logger, workerPool: { threads: 1 } });
  expect(events.messages).toEqual([]);
  isBroken = true;
  for (let time = 0; time < 5; time += 1) gateway.diagnostics.statistics();
  await until(() => events.messages.length > 0);
  const metadata = { method: "now", problem: "threw: broken" };
  expect(events.messages).toMatchObject([{ measurements: { count: expect.any(Number) }, metadata }]);
  for (let time = 0; time < 5; time += 1) gateway.diagnostics.statistics();
  await new Promise(setImmediate);
  expect(lines).toMatchObject([{ event: "clock.exception", ...metadata }]);
});
