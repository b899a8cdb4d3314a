import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { JoinedChannel } from "../../../src/socket/channels/joined-channel.ts";
import { Deliveries, type Delivery } from "../../../src/socket/pushes/deliveries.ts";

/** A delivery that notes to whom it was sent. */
function delivery(name: string, lane: string, receivers: number, log: string[], weight = 100): Delivery {
  return {
    lane,
    weight,
    before: null,
    after: null,
    receivers: () => Array.from({ length: receivers }, (_, index) => index as unknown as JoinedChannel),
    sendTo: (receiver) => void log.push(`${name} ${receiver}`),
    sent: (count) => void log.push(`${name} sent to ${count}`),
  };
}

async function allSent(deliveries: Deliveries): Promise<void> {
  while (deliveries.waiting.count > 0) await turn();
}

describe("deliveries", () => {
  test("of one lane keep their order, though each takes several turns", async () => {
    const log: string[] = [];
    const deliveries = new Deliveries(1_000_000);
    for (const name of ["a", "b", "c"]) deliveries.add(delivery(name, "room", 1_000, log));
    expect(log).toEqual([]);
    await allSent(deliveries);
    const expected = ["a", "b", "c"].flatMap((name) => [
      ...Array.from({ length: 1_000 }, (_, index) => `${name} ${index}`),
      `${name} sent to 1000`,
    ]);
    expect(log).toEqual(expected);
  });

  test("of another lane do not wait for the end of a long one", async () => {
    const log: string[] = [];
    const deliveries = new Deliveries(1_000_000);
    deliveries.add(delivery("long", "hall", 10_000, log));
    deliveries.add(delivery("short", "room", 1, log));
    await allSent(deliveries);
    expect(log.indexOf("short sent to 1")).toBeLessThan(100);
  });

  test("send at most 256 small messages in one turn of the event loop, and fewer large ones", async () => {
    for (const [weight, most] of [
      [100, 256],
      [1_000_000, 5],
    ] as const) {
      const log: string[] = [];
      const deliveries = new Deliveries(10_000_000);
      deliveries.add(delivery("a", "room", 1_000, log, weight));
      await turn();
      expect(log.length).toBeGreaterThan(0);
      expect(log.length).toBeLessThanOrEqual(most);
      await allSent(deliveries);
    }
  });

  test("without receivers use up turns too, so that a flood of them does not hold the loop", async () => {
    const log: string[] = [];
    const deliveries = new Deliveries(1_000_000);
    for (let n = 0; n < 1_000; n++) deliveries.add(delivery("none", "room", 0, log));
    await turn();
    expect(log.length).toBeLessThanOrEqual(256);
    await allSent(deliveries);
    expect(log.length).toBe(1_000);
  });

  test("are refused when their lane has as much waiting as is free; other lanes still have room, and it comes back", async () => {
    const log: string[] = [];
    const deliveries = new Deliveries(1_000);
    let taken = 0;
    while (deliveries.add(delivery("greedy", "hall", 1, log))) taken++;
    expect(taken).toBe(5);
    expect(deliveries.add(delivery("modest", "room", 1, log))).toBe(true);
    expect(deliveries.waiting).toEqual({ count: 6, bytes: 600 });
    await allSent(deliveries);
    expect(deliveries.waiting).toEqual({ count: 0, bytes: 0 });
    expect(deliveries.add(delivery("greedy", "hall", 1, log))).toBe(true);
    await allSent(deliveries);
  });
});
