import { expect, it } from "vitest";
import { backoffMs } from "../../src/core/backoff.ts";

it("doubles up to its limit", () => {
  const delays = [1, 2, 3, 4, 5].map((attempt) => backoffMs({ firstMs: 10, maxMs: 50 }, attempt, 0.5));
  expect(delays).toEqual([10, 20, 40, 50, 50]);
});

it("stays at its limit after any number of failures", () => {
  expect(backoffMs({ firstMs: 10, maxMs: 50 }, 1e6, 0.5)).toBe(50);
});

it("spreads from half to one and a half of that", () => {
  expect(backoffMs({ firstMs: 10, maxMs: 50 }, 2, 0)).toBe(10);
  expect(backoffMs({ firstMs: 10, maxMs: 50 }, 2, 0.999)).toBeCloseTo(30, 1);
});
