import { expect, test, vi } from "vitest";
import { systemClock } from "../../src/core/clock.ts";

test.each([2 ** 31, 1e15, Number.POSITIVE_INFINITY])("a timer of %d ms does not fire at once", (ms) => {
  const set = vi.spyOn(globalThis, "setTimeout");
  const timer = systemClock.setTimeout(() => undefined, ms);
  expect(set.mock.calls.map(([, given]) => given)).toEqual([2 ** 31 - 1]);
  systemClock.clearTimeout(timer);
  set.mockRestore();
});
