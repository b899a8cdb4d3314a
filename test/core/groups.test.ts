import fc from "fast-check";
import { expect, test } from "vitest";
import { Groups } from "../../src/core/groups.ts";

test("groups have the members that were added and not deleted, once each, in the order in which they came", () => {
  const keys = fc.constantFrom("a", "b", "c");
  const numbers = fc.integer({ min: 0, max: 4 });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), keys, numbers)), (steps) => {
      const members = [0, 1, 2, 3, 4].map((number) => ({ number }));
      const groups = new Groups<string, { number: number }>();
      const model = new Map<string, Set<object>>();
      for (const [adds, key, number] of steps) {
        const member = members[number] as { number: number };
        const group = model.get(key) ?? new Set();
        model.set(key, group);
        if (adds) groups.add(key, member);
        else groups.delete(key, member);
        if (adds) group.add(member);
        else group.delete(member);
      }
      for (const key of ["a", "b", "c"]) {
        expect(groups.of(key)).toEqual([...(model.get(key) ?? [])]);
        expect(groups.count(key)).toBe(model.get(key)?.size ?? 0);
      }
      expect(groups.size).toBe([...model.values()].filter(({ size }) => size > 0).length);
    }),
  );
});
