import { describe, expect, test } from "vitest";
import { Absences } from "../../../src/sync/presence/absences.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const a = { service: "users", node: "a" };
const b = { service: "users", node: "b" };
const other = { service: "orders", node: "a" };

function open(isPaused = false) {
  const clock = new SimulatedClock();
  const late = { by: 0 };
  const over: string[] = [];
  const absences = new Absences(
    {
      now: () => clock.now() + late.by,
      systemTime: () => clock.systemTime(),
      setTimeout: (run, ms) => clock.setTimeout(run, ms),
      clearTimeout: (timer) => clock.clearTimeout(timer),
    },
    1_000,
    isPaused,
    ({ service, node }) => void over.push(`${service} ${node} ${clock.now()}`),
  );
  return { clock, late, over, absences };
}

describe("a node that is away", () => {
  test("has graceMs to come back, service by service, from when it went first", () => {
    const { clock, over, absences } = open();
    absences.begin(a, false);
    clock.advance(400);
    absences.begin(other, false);
    // It is away already.
    absences.begin(a, false);
    clock.advance(599);
    expect([over, absences.isRunning(a), absences.overdue()]).toEqual([[], true, []]);
    clock.advance(1);
    expect([over, absences.isRunning(a), absences.overdue()]).toMatchObject([["users a 1000"], false, [a]]);
    clock.advance(400);
    expect(over).toEqual(["users a 1000", "orders a 1400"]);
    // It lasts until somebody says otherwise.
    expect(absences.list()).toEqual([a, other]);
    for (const each of [a, other, b]) absences.end(each);
    expect(absences.list()).toEqual([]);
  });

  test("is forgotten when it is back, with its time", () => {
    const { clock, over, absences } = open();
    absences.begin(a, true);
    absences.end(a);
    clock.advance(2_000);
    expect([over, absences.isRunning(a), absences.isSaid(a), clock.pending]).toEqual([[], false, false, 0]);
  });

  test("has said that it goes if it ever did", () => {
    const { absences } = open();
    absences.begin(a, false);
    expect([absences.isSaid(a), absences.isSaid(b)]).toEqual([false, false]);
    absences.begin(a, true);
    absences.begin(a, false);
    expect(absences.isSaid(a)).toBe(true);
    absences.end(a);
  });

  test("gets its time once more where it is over, and only there", () => {
    const { clock, over, absences } = open();
    for (const each of [a, b, other]) absences.begin(each, false);
    clock.advance(500);
    absences.restart(a);
    expect(clock.pending).toBe(3);
    clock.advance(500);
    expect(over).toHaveLength(3);
    absences.restartAll("users");
    expect([clock.pending, absences.isRunning(a), absences.isRunning(other)]).toEqual([2, true, false]);
    clock.advance(1_000);
    expect(over.slice(3)).toEqual(["users a 2000", "users b 2000"]);
    expect(absences.overdue()).toMatchObject([a, b, other]);
  });
});

describe("time does not pass", () => {
  test("while nobody could come back: afterwards each has all of it", () => {
    const { clock, over, absences } = open();
    absences.begin(a, false);
    clock.advance(999);
    absences.pause();
    absences.begin(b, false);
    absences.restart(a);
    expect([clock.pending, absences.isRunning(a), absences.isRunning(b)]).toEqual([0, true, true]);
    clock.advance(5_000);
    absences.resume();
    // Twice is once.
    absences.resume();
    expect(clock.pending).toBe(2);
    clock.advance(999);
    expect(over).toEqual([]);
    clock.advance(1);
    expect(over).toEqual(["users a 6999", "users b 6999"]);
  });

  test("where it begins so", () => {
    const { clock, absences } = open(true);
    absences.begin(a, false);
    expect(clock.pending).toBe(0);
    absences.resume();
    expect(clock.pending).toBe(1);
    absences.end(a);
  });

  test("while this process stood still for more than half a second", () => {
    for (const [by, isOver] of [
      [500, true],
      [501, false],
    ] as const) {
      const { clock, late, over, absences } = open();
      absences.begin(a, false);
      late.by = by;
      clock.advance(1_000);
      expect(over.length > 0).toBe(isOver);
      clock.advance(1_000);
      expect(over).toHaveLength(1);
    }
  });
});
