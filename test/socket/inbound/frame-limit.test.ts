import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameBudget } from "../../../src/socket/inbound/frame-limit.ts";

const limit = { perSecond: 1_000, burst: 2_000, closeAfterMs: 10_000 };

test("over any time a socket uses at most its burst, what time brings, and one message more", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ afterMs: fc.nat(500), points: fc.integer({ min: 1, max: 300 }) })), (steps) => {
      const budget = new FrameBudget(limit, 0);
      let now = 0;
      let used = 0;
      for (const { afterMs, points } of steps) {
        now += afterMs;
        const pause = budget.isSpent ? budget.decide(now) : 0;
        if (pause === "close") return;
        now += pause;
        budget.use(points);
        used += points;
        expect(used).toBeLessThanOrEqual(limit.burst + (now * limit.perSecond) / 1_000 + 300);
      }
    }),
  );
});

test("a socket that stays over its limit is to be closed, one that recovers is not", () => {
  const flooding = new FrameBudget(limit, 0);
  const recovering = new FrameBudget(limit, 0);
  let now = 0;
  let verdict: number | "close" = 0;
  while (verdict !== "close") {
    flooding.use(limit.burst);
    verdict = flooding.decide(now);
    if (verdict !== "close") now += verdict;
    expect(now).toBeLessThanOrEqual(limit.closeAfterMs + 3_000);
  }
  expect(now).toBeGreaterThanOrEqual(limit.closeAfterMs);
  for (let burst = 0; burst < 20; burst++) {
    recovering.use(limit.burst);
    expect(recovering.decide(burst * 5_000)).not.toBe("close");
  }
});

test("a socket may use its burst at once; then it is paused until a tenth of a second's points are there", () => {
  const budget = new FrameBudget(limit, 0);
  budget.use(limit.burst - 1);
  expect(budget.isSpent).toBe(false);
  budget.use(1);
  expect([budget.isSpent, budget.isOver, budget.decide(0)]).toEqual([true, false, 100]);
  expect(budget.isOver).toBe(true);
  budget.use(50);
  expect(budget.decide(0)).toBe(150);
  // One point is enough to go on.
  expect(budget.decide(50)).toBe(100);
  expect([budget.decide(51), budget.isSpent]).toEqual([0, false]);
});

test("a socket has recovered when half of its burst is there again, and never has more than its burst", () => {
  const budget = new FrameBudget(limit, 0);
  budget.use(limit.burst);
  budget.decide(0);
  budget.decide(999);
  expect(budget.isOver).toBe(true);
  budget.decide(1_000);
  expect(budget.isOver).toBe(false);
  budget.decide(1_000_000);
  budget.use(limit.burst);
  expect(budget.isSpent).toBe(true);
});

test("a socket is to be closed at the moment when it has been over its limit for closeAfterMs, and not before", () => {
  const verdictAt = (now: number) => {
    const budget = new FrameBudget(limit, 0);
    budget.use(1_000_000);
    budget.decide(0);
    return budget.decide(now);
  };
  expect(verdictAt(9_999)).not.toBe("close");
  expect(verdictAt(10_000)).toBe("close");
});
