import { expect, test } from "vitest";
import { EventLoopMonitor } from "../../src/diagnostics/event-loop.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Holds the event loop for so many milliseconds. */
function hold(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test("a delay of the event loop is told for 15 to 30 seconds, to everybody who asks, and then forgotten", async () => {
  const clock = new SimulatedClock();
  const monitor = new EventLoopMonitor(clock);
  expect(monitor.statistics.delayMs).toEqual({ mean: 0, p50: 0, p90: 0, p99: 0, max: 0 });
  monitor.start();
  // A histogram's first sample tells only since when it measures.
  while (monitor.statistics.delayMs.mean === 0 && monitor.statistics.delayMs.max === 0) {
    hold(30);
    await turn();
  }
  const longest = () => monitor.statistics.delayMs.max;
  clock.advance(14_000);
  hold(1_500);
  while (longest() < 1_000) await turn();
  expect(monitor.statistics.delayMs.p99).toBeGreaterThan(1_000);
  clock.advance(15_999);
  expect([longest() > 1_000, longest() > 1_000]).toEqual([true, true]);
  clock.advance(1);
  // Less than was held: no process of a busy machine stands still for so long by itself.
  expect(longest()).toBeLessThan(1_000);
  const { activeMs, idleMs } = monitor.statistics;
  expect(activeMs + idleMs).toBeGreaterThan(500);
  monitor.close();
  expect(clock.pending).toBe(0);
});
