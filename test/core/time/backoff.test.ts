import { expect, it } from "vitest";
import { backoffMs } from "../../../src/core/time/backoff.ts";

it("doubles up to its limit", () => {
  const delays = [1, 2, 3, 4, 5].map((attempt) => backoffMs({ firstMs: 10, maxMs: 50 }, attempt, 0.5));
  expect(delays).toEqual([10, 20, 40, 50, 50]);
});

it("stays at its limit after any number of failures", () => {
  expect(backoffMs({ firstMs: 10, maxMs: 50 }, 1e6, 0.5)).toBe(50);
});

it("spreads from half to below one and a half of that, in whole milliseconds", () => {
  expect(backoffMs({ firstMs: 10, maxMs: 50 }, 2, 0)).toBe(10);
  const greatestBelow1 = 1 - Number.EPSILON / 2;
  expect(backoffMs({ firstMs: 10, maxMs: 50 }, 2, greatestBelow1)).toBe(29);
  expect(backoffMs({ firstMs: 10, maxMs: 5_000 }, 100, greatestBelow1)).toBe(7_499);
});
