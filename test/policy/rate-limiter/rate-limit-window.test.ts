import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyList, RateLimitWindows } from "../../../src/policy/rate-limiter/rate-limit-window.ts";

/** What a window is compared with. */
class NaiveWindow {
  times: number[] = [];
  expire(until: number): number {
    this.times = this.times.filter((time) => time > until);
    return this.times.length;
  }
}

/** How much later the next request comes: at once, nanoseconds, fractions that no nanosecond is, days. */
const gap = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 20_000 }).map((ns) => ns / 1e6),
  fc.double({ min: 0, max: 10, noNaN: true }),
  fc.integer({ min: 0, max: 100_000 }),
  fc.integer({ min: 0, max: 5 * 86_400_000 }),
);

const step = fc.record({
  act: fc.constantFrom("record", "record", "record", "record", "expire", "close"),
  which: fc.nat(2),
  gap,
  windowMs: fc.constantFrom(1, 1000, 60_000, 86_400_000),
});

describe("a window", () => {
  test("gives back every time bit by bit, in order, whatever lies between", () => {
    fc.assert(
      fc.property(fc.array(gap, { minLength: 1, maxLength: 300 }), fc.double({ min: 0, max: 1e10 }), (gaps, start) => {
        const windows = new RateLimitWindows();
        const window = windows.open(start, "key");
        const times = [start];
        let now = start;
        for (const later of gaps) {
          now += later;
          times.push(now);
          windows.record(window, now);
        }
        expect(times.map((_, skip) => windows.oldest(window, skip))).toEqual(times);
        expect(windows.newest(window)).toBe(now);
      }),
    );
  });

  // As much as one, two and three units of 16 bits can hold beside their marks; what is longer is kept as it is.
  test.each([2 ** 14, 2 ** 30, 2 ** 46])("gives back a time %d ns after another, and those around it", (bound) => {
    for (const ns of [bound - 1, bound, bound + 1]) {
      const windows = new RateLimitWindows();
      const window = windows.open(0, "key");
      windows.record(window, ns / 1e6);
      windows.record(window, ns / 1e6 + 1);
      expect([0, 1, 2].map((skip) => windows.oldest(window, skip))).toEqual([0, ns / 1e6, ns / 1e6 + 1]);
    }
  });

  test("agrees with a list of times after any requests and expiries, beside other windows", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const windows = new RateLimitWindows();
        const pairs: ({ window: number; naive: NaiveWindow } | undefined)[] = [];
        let now = 0;
        for (const { act, which, gap, windowMs } of steps) {
          now += gap;
          const pair = pairs[which];
          if (pair === undefined) {
            const naive = new NaiveWindow();
            naive.times.push(now);
            pairs[which] = { window: windows.open(now, which), naive };
            continue;
          }
          const { window, naive } = pair;
          if (act === "record") {
            windows.record(window, now);
            naive.times.push(now);
          } else {
            const left = act === "close" ? 0 : naive.expire(now - windowMs);
            if (act === "expire") expect(windows.expire(window, now - windowMs)).toBe(left);
            if (left === 0) {
              windows.close(window);
              pairs[which] = undefined;
              continue;
            }
          }
          expect(windows.count(window)).toBe(naive.times.length);
          expect(windows.oldest(window)).toBe(naive.times[0]);
          expect(windows.oldest(window, naive.times.length - 1)).toBe(naive.times.at(-1));
          expect(windows.owner(window)).toBe(which);
        }
      }),
    );
  });

  test("takes at most 8 bytes for each request, first and last cell included, when they are many", () => {
    for (const everyMs of [0.0001, 0.6, 60, 6_000]) {
      const windows = new RateLimitWindows();
      const window = windows.open(0, "key");
      const requests = 200_000;
      for (let request = 1; request < requests; request++) windows.record(window, request * everyMs);
      expect(windows.bytes / requests).toBeLessThanOrEqual(8);
    }
  });

  test("takes one cell of 64 bytes while it has few requests", () => {
    const windows = new RateLimitWindows();
    for (let key = 0; key < 100_000; key++) windows.record(windows.open(key, key), key + 1000);
    expect(windows.bytes / 100_000).toBeLessThan(66);
  });
});

test("memory goes back when requests expire and windows are closed, in any order", () => {
  const windows = new RateLimitWindows();
  const opened = Array.from({ length: 20_000 }, (_, key) => windows.open(0, key));
  for (let now = 1; now <= 50; now++) for (const window of opened) windows.record(window, now);
  const full = windows.bytes;
  for (const window of opened) windows.expire(window, 49);
  expect(windows.bytes).toBeLessThan(full / 2);
  for (const window of opened.filter((_, place) => place % 3 !== 0)) windows.close(window);
  for (const window of opened.filter((_, place) => place % 3 === 0)) windows.close(window);
  expect(windows.bytes).toBeLessThanOrEqual(2 * 65_536);
});

test("a list keeps the order in which windows were put at its end", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ put: fc.boolean(), which: fc.nat(4) })), (steps) => {
      const windows = new RateLimitWindows();
      const numbers = Array.from({ length: 5 }, (_, which) => windows.open(0, which));
      const list = emptyList();
      const order: number[] = [];
      for (const { put, which } of steps) {
        const number = numbers[which] as number;
        if (order.includes(number)) {
          windows.remove(list, number);
          order.splice(order.indexOf(number), 1);
        }
        if (put) {
          windows.append(list, number);
          order.push(number);
        }
        expect([list.first, list.last]).toEqual([order[0] ?? 0, order.at(-1) ?? 0]);
      }
      for (const number of order) {
        expect(list.first).toBe(number);
        windows.remove(list, number);
      }
      expect(list).toEqual(emptyList());
    }),
  );
});
