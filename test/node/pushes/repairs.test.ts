import { describe, expect, test } from "vitest";
import { calmMs, Repairs } from "../../../src/node/pushes/repairs.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

/** Repairs of entries that are spoilt again as soon as they were put; `at` has the seconds of each. */
function createRepairs(random = 0.5) {
  const clock = new SimulatedClock();
  const at: number[] = [];
  const repairs = new Repairs({
    clock,
    random: () => random,
    due: () => void at.push(clock.now() / 1_000),
  });
  return { clock, at, repairs };
}

describe("the repairs of an entry", () => {
  test("come at once, then twice as late each time, five minutes apart in the end, however often they are asked for", () => {
    const { clock, at, repairs } = createRepairs();
    for (let ms = 0; ms <= 2_000_000; ms += 100) {
      repairs.ask("entry.a.b");
      clock.advance(100);
    }
    const apart = at.slice(1).map((second, index) => second - (at[index] as number));
    expect(at[0]).toBe(0);
    expect(apart).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
    repairs.stop();
  });

  test("do not come together with those of other gateways", () => {
    const [early, late] = [createRepairs(0), createRepairs(0.999)];
    for (const { clock, repairs } of [early, late]) {
      repairs.ask("entry.a.b");
      repairs.ask("entry.a.b");
      clock.advance(2_000);
    }
    expect([early.at, late.at]).toEqual([
      [0, 0.5],
      [0, 1.499],
    ]);
  });

  test("come at once again when the entry stood for ten minutes, not when it stood for five", () => {
    for (const [stoodMs, waitS] of [
      [calmMs, 1],
      [calmMs / 2, 300],
    ] as const) {
      const { clock, at, repairs } = createRepairs();
      for (let time = 0; time < 20; time += 1) {
        repairs.ask("entry.a.b");
        clock.advance(300_000);
      }
      clock.advance(stoodMs - 300_000);
      at.length = 0;
      for (let time = 0; time < 2; time += 1) repairs.ask("entry.a.b");
      clock.advance(300_000);
      expect(at[1]).toBe((at[0] as number) + waitS);
    }
  });

  test("are those of one entry alone, wait for nothing when they are stopped, and are forgotten with it", () => {
    const { clock, at, repairs } = createRepairs();
    for (const key of ["entry.a.b", "entry.a.c", "entry.a.b", "entry.a.c"]) repairs.ask(key);
    expect([at, clock.pending]).toEqual([[0, 0], 2]);
    repairs.forget("entry.a.c");
    expect([repairs.stop(), clock.pending]).toEqual([["entry.a.b"], 0]);
    repairs.ask("entry.a.c");
    expect(at).toEqual([0, 0, 0]);
    repairs.ask("entry.a.b");
    expect(clock.pending).toBe(1);
    repairs.stop();
  });
});
