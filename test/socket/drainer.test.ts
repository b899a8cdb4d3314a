import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Connection } from "../../src/socket/connection.ts";
import { closingTimes, drainSockets, noticeMs } from "../../src/socket/drainer.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const options = fc.record({
  batchSize: fc.integer({ min: 1, max: 1_000 }),
  intervalMs: fc.integer({ min: 1, max: 5_000 }),
});
const drainMs = fc.double({ min: 0, max: 100_000, noNaN: true });

describe("the sockets of a gateway that stops are closed", () => {
  test("each interval a batch, from the end of the notice on", () => {
    const times = closingTimes(35, { batchSize: 10, intervalMs: 2_000 }, 60_000);
    expect(times).toEqual([noticeMs, noticeMs + 2_000, noticeMs + 4_000, noticeMs + 6_000]);
  });

  test("faster where the batches would not fit into the time of the drain, the last of them at its end", () => {
    expect(closingTimes(30, { batchSize: 10, intervalMs: 2_000 }, noticeMs + 100)).toEqual([300, 350, 400]);
  });

  test("not before the notice has had its time, even where the drain has none", () => {
    expect(closingTimes(30, { batchSize: 10, intervalMs: 2_000 }, 0)).toEqual([noticeMs, noticeMs, noticeMs]);
  });

  test("all of them, in order, never closer than needed, within the drain, whatever the numbers are", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_000 }), options, drainMs, (sockets, given, ms) => {
        const times = closingTimes(sockets, given, ms);
        expect(times.length * given.batchSize).toBeGreaterThanOrEqual(sockets);
        expect((times.length - 1) * given.batchSize).toBeLessThan(Math.max(1, sockets));
        for (const [index, time] of times.entries()) {
          const step = time - (times[index - 1] ?? noticeMs);
          expect(step).toBeGreaterThanOrEqual(0);
          expect(step).toBeLessThanOrEqual(given.intervalMs + 0.001);
          expect(time).toBeLessThanOrEqual(Math.max(noticeMs, ms) + 0.001);
        }
      }),
    );
  });
});

describe("a gateway that drains", () => {
  /** As many connections, and when each was notified and closed. */
  function open(count: number, closes = true) {
    const clock = new SimulatedClock();
    const notices: number[] = [];
    const ends: number[] = [];
    const connections = Array.from({ length: count }, () => {
      let end: () => void = () => undefined;
      return {
        drain() {
          notices.push(clock.now());
          return new Promise<void>((resolve) => {
            end = resolve;
          });
        },
        closeWhenIdle() {
          ends.push(clock.now());
          if (closes) end();
        },
        end: () => end(),
      };
    });
    const drain = (given: { batchSize: number; intervalMs: number }, ms: number) =>
      drainSockets(connections as unknown as Connection[], given, ms, clock);
    return { clock, notices, ends, connections, drain };
  }
  const countsOf = (times: readonly number[]) => {
    const counts: Record<number, number> = {};
    for (const time of times) counts[time] = (counts[time] ?? 0) + 1;
    return counts;
  };

  test("notifies 500 sockets in a turn and closes 50, so that everybody else has turns in between", async () => {
    const { clock, notices, ends, drain } = open(1_100);
    const drained = drain({ batchSize: 120, intervalMs: 1_000 }, 60_000);
    await clock.advanceAsync(310);
    expect(countsOf(notices)).toEqual({ 0: 500, 1: 500, 2: 100 });
    expect(countsOf(ends)).toEqual({ 302: 50, 303: 50, 304: 20 });
    await clock.advanceAsync(60_000);
    await drained;
    expect(ends).toHaveLength(1_100);
  });

  test("waits for the last call of each, however late, and for nobody that is gone", async () => {
    const { clock, ends, connections, drain } = open(3, false);
    let isDrained = false;
    const drained = drain({ batchSize: 2, intervalMs: 100 }, 60_000).then(() => {
      isDrained = true;
    });
    await clock.advanceAsync(100_000);
    expect([ends, isDrained]).toEqual([[noticeMs, noticeMs, noticeMs + 100], false]);
    for (const { end } of connections) end();
    await drained;
    const empty = open(2);
    const quick = empty.drain({ batchSize: 1, intervalMs: 50_000 }, 60_000);
    for (const { end } of empty.connections) end();
    await quick;
    expect(empty.clock.now()).toBe(0);
  });
});
