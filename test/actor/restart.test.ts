import fc from "fast-check";
import { expect, it } from "vitest";
import { addRestart, affectedChildren } from "../../src/actor/restart.ts";

it("restarts are exceeded exactly when more than allowed lie within the period", () => {
  const gaps = fc.array(fc.nat(100), { maxLength: 50 });
  fc.assert(
    fc.property(gaps, fc.nat(5), fc.nat(200), (steps, maxRestarts, withinMs) => {
      const all: number[] = [];
      let times: readonly number[] = [];
      let now = 0;
      for (const step of steps) {
        now += step;
        all.push(now);
        const result = addRestart(times, now, { maxRestarts, withinMs });
        times = result.times;
        const within = all.filter((time) => time >= now - withinMs);
        expect(times).toEqual(within);
        expect(result.exceeded).toBe(within.length > maxRestarts);
      }
    }),
  );
});

it.each([
  ["one_for_one", ["b"]],
  ["one_for_all", ["a", "b", "c"]],
  ["rest_for_one", ["b", "c"]],
] as const)("%s affects %j when b ends", (strategy, expected) => {
  expect(affectedChildren(strategy, ["a", "b", "c"], "b")).toEqual(expected);
});
