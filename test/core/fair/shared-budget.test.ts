import fc from "fast-check";
import { expect, test } from "vitest";
import { SharedBudget } from "../../../src/core/fair/shared-budget.ts";

test("holders that take all they may leave room for one who comes next, and are never refused for what others gave back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 50 }), (holders, amount) => {
      const max = 100_000;
      const budget = new SharedBudget(max);
      const greedy = Array.from({ length: holders }, () => ({ held: 0 }));
      for (let took = true; took; ) {
        took = false;
        for (const holder of greedy) {
          if (!budget.hasRoomFor(holder, amount)) continue;
          budget.take(holder, amount);
          took = true;
        }
      }
      // With n holders each ends near 1/(n+1), and as much is free.
      const share = max / (holders + 1);
      for (const { held } of greedy) expect(Math.abs(held - share)).toBeLessThanOrEqual((holders + 1) * amount);
      expect(budget.hasRoomFor({ held: 0 }, Math.floor(share) - (holders + 1) * amount)).toBe(true);
      for (const holder of greedy) budget.giveBack(holder, holder.held);
      expect(budget.used).toBe(0);
      expect(budget.hasRoomFor({ held: 0 }, max)).toBe(true);
    }),
  );
});
