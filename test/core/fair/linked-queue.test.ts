import fc from "fast-check";
import { expect, test } from "vitest";
import { type Linked, LinkedQueue } from "../../../src/core/fair/linked-queue.ts";

interface Item extends Linked<Item> {
  readonly number: number;
}

test("a queue agrees with a list, whatever is pushed, put before all, shifted and removed", () => {
  const step = fc.oneof(
    fc.constantFrom("push" as const, "unshift" as const, "shift" as const),
    fc.nat().map((at) => ({ at })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new LinkedQueue<Item>();
      const list: Item[] = [];
      for (const [number, what] of steps.entries()) {
        const item = { number, before: null, after: null };
        if (what === "push") {
          queue.push(item);
          list.push(item);
        } else if (what === "unshift") {
          queue.unshift(item);
          list.unshift(item);
        } else if (what === "shift") {
          const shifted = queue.shift();
          expect(shifted).toBe(list.shift() ?? null);
          // What is not in it any more does no harm to what is.
          if (shifted !== null) expect(queue.remove(shifted)).toBe(false);
        } else if (list.length > 0) {
          expect(queue.remove(list.splice(what.at % list.length, 1)[0] as Item)).toBe(true);
        }
        expect([queue.size, queue.first, queue.last]).toEqual([list.length, list[0] ?? null, list.at(-1) ?? null]);
      }
      while (list.length > 0) expect(queue.shift()).toBe(list.shift());
      expect(queue.shift()).toBe(null);
    }),
  );
});
