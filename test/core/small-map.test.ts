import fc from "fast-check";
import { expect, test } from "vitest";
import { SmallMap } from "../../src/core/small-map.ts";

const key = fc.integer({ min: 0, max: 3 });
const operation = fc.oneof(
  fc.record({ type: fc.constant("set" as const), key, value: fc.record({ id: fc.nat() }) }),
  fc.record({ type: fc.constant("delete" as const), key }),
  fc.record({ type: fc.constant("clear" as const) }),
);

test("A small map says what a Map says, whatever was done to both, and in the same order", () => {
  fc.assert(
    fc.property(fc.array(operation), (operations) => {
      const small = new SmallMap<number, object>();
      const map = new Map<number, object>();
      for (const done of operations) {
        if (done.type === "clear") {
          small.clear();
          map.clear();
        } else if (done.type === "delete") {
          small.delete(done.key);
          map.delete(done.key);
        } else {
          small.set(done.key, done.value);
          map.set(done.key, done.value);
        }
        expect(small.size).toBe(map.size);
        expect(small.values()).toEqual([...map.values()]);
        for (let each = 0; each <= 3; each++) expect(small.get(each)).toBe(map.get(each));
      }
    }),
  );
});
