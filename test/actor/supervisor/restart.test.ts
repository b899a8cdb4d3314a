import fc from "fast-check";
import { expect, it } from "vitest";
import { addRestart, affectedChildren, endsSupervisor, shouldRestart } from "../../../src/actor/supervisor/restart.ts";

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

it.each([
  ["permanent", ["normal", "shutdown", "killed", "error"]],
  ["transient", ["killed", "error"]],
  ["temporary", []],
] as const)("a %s child is restarted when it ends for one of %j", (type, expected) => {
  const reasons = {
    normal: "normal",
    shutdown: "shutdown",
    killed: "killed",
    error: { error: new Error("e") },
  } as const;
  const restarted = Object.entries(reasons).filter(([, reason]) => shouldRestart(type, reason));
  expect(restarted.map(([name]) => name)).toEqual(expected);
});

const spec = (significant?: boolean) => ({
  id: "a",
  logic: {} as never,
  ...(significant === undefined ? {} : { significant }),
});

it.each([
  ["never", true, [], false],
  ["any_significant", true, [true], true],
  ["any_significant", false, [true], false],
  ["any_significant", undefined, [], false],
  ["all_significant", true, [true], false],
  ["all_significant", true, [false, undefined], true],
  ["all_significant", false, [false], false],
] as const)(
  "%s: the end of one that is significant (%s) beside %j ends the supervisor: %s",
  (auto, ended, others, ends) => {
    expect(endsSupervisor(auto, spec(ended), others.map(spec))).toBe(ends);
  },
);
