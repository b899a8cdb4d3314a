import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ConsumerCredit,
  ProducerCredit,
  streamWindow,
  streamWindowSize,
  WindowCredit,
  windowSize,
} from "../../src/execution/stream-credit.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/**
 * A stream of chunks of these sizes, from a thread through its pool, and perhaps from a node to a gateway, to a client.
 *
 * @param hops the consumers in a row, the client's last
 * @param pick which of the things that can happen does
 */
function pass(sizes: readonly number[], hops: readonly ConsumerCredit[], pick: (choices: number) => number) {
  const producer = new ProducerCredit();
  // What is on its way to each hop and to the client, and what each hop, and the producer, is granted.
  const chunks: number[][] = [...hops, null].map(() => []);
  const grants: number[] = hops.map(() => 0);
  let [sent, read, mostChunks, mostSize] = [0, 0, 0, 0];
  const can: (() => (() => void) | null)[] = [
    () =>
      sent < sizes.length && producer.available
        ? () => {
            producer.spend(sizes[sent] as number);
            chunks[0]?.push(sizes[sent++] as number);
          }
        : null,
    ...hops.map((hop, at) => () => {
      const size = chunks[at]?.[0];
      if (size === undefined) return null;
      return () => {
        hop.arrived(size);
        chunks[at + 1]?.push(chunks[at]?.shift() as number);
      };
    }),
    ...hops.map((hop, at) => () => {
      if (grants[at] === 0) return null;
      return () => {
        const refund = hop.consume(grants[at] as number);
        grants[at] = 0;
        if (at === 0) producer.refund(refund);
        else grants[at - 1] = (grants[at - 1] as number) + refund;
      };
    }),
    () =>
      chunks[hops.length]?.length === 0
        ? null
        : () => {
            chunks[hops.length]?.shift();
            read++;
            grants[hops.length - 1] = (grants[hops.length - 1] as number) + 1;
          },
  ];
  for (;;) {
    const enabled = can.map((each) => each()).filter((each) => each !== null);
    if (enabled.length === 0) return { read, mostChunks, mostSize };
    enabled[pick(enabled.length)]?.();
    const onTheirWay = chunks.flat();
    mostChunks = Math.max(mostChunks, onTheirWay.length);
    mostSize = Math.max(
      mostSize,
      onTheirWay.reduce((sum, each) => sum + each, 0),
    );
  }
}

const size = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2 * streamWindowSize }));
const steady = fc.tuple(size, fc.integer({ min: 1, max: 100 })).map(([each, count]) => Array(count).fill(each));

test("a stream through one thread, or a node and one of its threads, never stands still, whatever its chunks' sizes", () => {
  console.log("seed", seed);
  fc.assert(
    fc.property(
      fc.oneof(steady, fc.array(size, { minLength: 1, maxLength: 100 })),
      fc.integer({ min: 1, max: 2 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 30 }),
      (sizes: number[], count, picks) => {
        const hops = Array.from({ length: count }, () => new ConsumerCredit());
        let turn = 0;
        const pick = (choices: number) => (picks[turn++ % picks.length] as number) % choices;
        const { read, mostChunks, mostSize } = pass(sizes, hops, pick);
        expect(read).toBe(sizes.length);
        expect(mostChunks).toBeLessThanOrEqual(streamWindow);
        // One chunk may be bigger than all may be together.
        expect(mostSize - Math.max(...sizes)).toBeLessThan(streamWindowSize);
      },
    ),
    { seed, numRuns: 2_000 },
  );
});

test("small chunks are refunded by the sixteen, and big ones at once", () => {
  const credit = new ConsumerCredit();
  for (let chunk = 0; chunk < streamWindow; chunk++) credit.arrived(10);
  const refunds = Array.from({ length: streamWindow }, () => credit.consume(1));
  expect(refunds.filter((refund) => refund > 0)).toEqual([16, 16]);
  credit.arrived(streamWindowSize / 2);
  expect(credit.consume(1)).toBe(1);
  expect([credit.chunks, credit.size]).toEqual([0, 0]);
});

const windows = fc.oneof(fc.constant(streamWindow), fc.integer({ min: streamWindow, max: 300 }));

/** A stream whose consumer, behind a window of its own, takes what it likes of what came. @returns the most that was on its way */
function passWindow(sizes: readonly number[], window: number, pick: (choices: number) => number) {
  const producer = new ProducerCredit();
  const relay = new WindowCredit(window);
  const consumer = new ConsumerCredit();
  const unread: number[] = [];
  let [sent, mostChunks, mostSize] = [0, 0, 0];
  const produce = () => {
    for (; sent < sizes.length && producer.available; sent++) {
      const next = sizes[sent] as number;
      producer.spend(next);
      unread.push(next);
      producer.refund(relay.sent(next));
      consumer.arrived(next);
      mostChunks = Math.max(mostChunks, unread.length);
      mostSize = Math.max(mostSize, unread.reduce((sum, each) => sum + each, 0) - Math.max(...unread));
    }
  };
  for (produce(); unread.length > 0; produce()) {
    const taken = unread.splice(0, 1 + pick(unread.length)).length;
    producer.refund(relay.consumed(consumer.consume(taken)));
  }
  return { sent, mostChunks, mostSize };
}

test("a stream from a node never stands still, and never has more on its way than the gateway's window", () => {
  fc.assert(
    fc.property(
      fc.oneof(steady, fc.array(size, { minLength: 1, maxLength: 100 })),
      windows,
      fc.array(fc.nat(), { minLength: 1, maxLength: 30 }),
      (sizes: number[], window, picks) => {
        let turn = 0;
        const pick = (choices: number) => (picks[turn++ % picks.length] as number) % choices;
        const { sent, mostChunks, mostSize } = passWindow(sizes, window, pick);
        expect(sent).toBe(sizes.length);
        expect(mostChunks).toBeLessThanOrEqual(window);
        expect(mostSize).toBeLessThan(windowSize(window));
      },
    ),
    { seed, numRuns: 2_000 },
  );
});

test("a wider window is used: so many chunks are on their way before one was consumed", () => {
  const once = (window: number, each: number) => {
    const producer = new ProducerCredit();
    const relay = new WindowCredit(window);
    let sent = 0;
    for (; producer.available && sent < 10_000; sent++) {
      producer.spend(each);
      producer.refund(relay.sent(each));
    }
    return sent;
  };
  expect(once(streamWindow, 10)).toBe(streamWindow);
  expect(once(1_000, 10)).toBe(1_000);
  expect(once(streamWindow * 4, streamWindowSize / 4)).toBe(16);
});

test("a window bounds what may be sent and was not acknowledged, however much of it was taken", () => {
  const credit = new ProducerCredit(3);
  for (let chunk = 0; chunk < 3; chunk++) {
    expect(credit.available).toBe(true);
    credit.spend(10);
    credit.refund(1);
  }
  expect(credit.available).toBe(false);
  credit.allow(1);
  expect(credit.available).toBe(true);
  credit.spend(10);
  expect(credit.available).toBe(false);
});
