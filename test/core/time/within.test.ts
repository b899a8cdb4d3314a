import { expect, test } from "vitest";
import { atMost } from "../../../src/core/time/within.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const never = new Promise<never>(() => undefined);

test("at most so long is waited, and no timer is left, whatever came first", async () => {
  const clock = new SimulatedClock();
  await atMost(100, Promise.resolve(), clock);
  expect(clock.pending).toBe(0);
  await expect(atMost(100, Promise.reject(new Error("no")), clock)).rejects.toThrow("no");
  expect(clock.pending).toBe(0);
  let isOver = false;
  const waiting = atMost(100, never, clock).then(() => {
    isOver = true;
  });
  clock.advance(99);
  await Promise.resolve();
  expect(isOver).toBe(false);
  clock.advance(1);
  await waiting;
  expect(clock.pending).toBe(0);
});
