import { expect, test } from "vitest";
import { Quota } from "../../../src/core/time/quota.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

test("a quota gives so many in a period, and as many again in the next one that somebody begins", () => {
  const clock = new SimulatedClock();
  const quota = new Quota(3, 1_000, clock);
  const take = (times: number) => Array.from({ length: times }, () => quota.take()).filter(Boolean).length;
  expect(take(5)).toBe(3);
  clock.advance(999);
  expect(take(5)).toBe(0);
  clock.advance(1);
  expect(take(2)).toBe(2);
  clock.advance(5_500);
  expect(take(2)).toBe(2);
  clock.advance(999);
  expect(take(2)).toBe(1);
});
