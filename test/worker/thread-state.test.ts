import { describe, expect, test } from "vitest";
import { ConsumerCredit, ProducerCredit, streamWindow, streamWindowSize } from "../../src/execution/stream-credit.ts";
import { Preloads } from "../../src/worker/preloads.ts";
import { ByteRate } from "../../src/worker/thread/byte-rate.ts";
import { isAwaited, judgeThread, WedgeWatch } from "../../src/worker/wedge-watch.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const waiting = { over: false };
const givenUp = { over: true };

describe("what a thread does while its loop stands still is awaited", () => {
  test("where the call on its stack is, whoever else was given up", () => {
    expect(isAwaited(waiting, [waiting, givenUp], false)).toBe(true);
    expect(isAwaited(givenUp, [givenUp, waiting], true)).toBe(false);
  });

  test("where it imports a module ahead of its calls, with or without calls", () => {
    expect(isAwaited(null, [], true)).toBe(true);
    expect(isAwaited(null, [givenUp], true)).toBe(true);
  });

  test("else by its calls, unless one of them was given up since the loop turned; by nobody where there is none", () => {
    expect(isAwaited(null, [waiting, waiting], false)).toBe(true);
    expect(isAwaited(null, [waiting, givenUp], false)).toBe(false);
    expect(isAwaited(null, [], false)).toBe(false);
  });
});

test("A thread is not judged where this side itself came more than half of the grace too late", () => {
  const probe = { answered: false, progressed: false, graceMs: 1_000 };
  expect(judgeThread({ ...probe, lateMs: 500 })).toBe("wedged");
  expect(judgeThread({ ...probe, lateMs: 500.1 })).toBe("unsure");
});

test("A thread is pinged once until it is judged, then anew; a watch that is stopped leaves no timer", () => {
  const clock = new SimulatedClock();
  const pings: number[] = [];
  const thread = { pong: 0, progress: 0, ping: (number: number) => void pings.push(number) };
  const verdicts: string[] = [];
  const watch = new WedgeWatch(thread, clock, 1_000, (verdict) => verdicts.push(verdict));
  watch.probe();
  watch.probe();
  expect([pings, clock.pending]).toEqual([[1], 1]);
  thread.pong = 1;
  clock.advance(1_000);
  watch.probe();
  expect([pings, verdicts]).toEqual([[1, 2], ["alive"]]);
  // The answer to an earlier ping is none to this one.
  clock.advance(1_000);
  expect(verdicts).toEqual(["alive", "wedged"]);
  watch.probe();
  watch.stop();
  expect(clock.pending).toBe(0);
  watch.probe();
  expect(pings).toEqual([1, 2, 3, 4]);
  watch.stop();
});

test("A thread that has answered and then stands still is pinged anew by the next probe, not after the grace of the first", () => {
  const clock = new SimulatedClock();
  const pings: number[] = [];
  const thread = { pong: 0, progress: 0, ping: (number: number) => void pings.push(number) };
  const verdicts: string[] = [];
  const watch = new WedgeWatch(thread, clock, 1_000, (verdict) => verdicts.push(verdict));
  watch.probe();
  thread.pong = 1;
  clock.advance(10);
  watch.probe();
  clock.advance(1_000);
  expect([pings, verdicts, clock.pending]).toEqual([[1, 2], ["wedged"], 0]);
});

describe("what a thread may write", () => {
  test("is as much as a second brings, at once, and no more until time has passed", () => {
    const rate = new ByteRate(1_000, 0);
    expect(rate.left(0)).toBe(1_000);
    rate.take(1_000);
    expect([rate.left(0), rate.left(1), rate.left(1.5), rate.left(500)]).toEqual([0, 1, 1, 500]);
    expect(rate.left(10_000)).toBe(1_000);
  });

  test("does not shrink by a clock that goes back", () => {
    const rate = new ByteRate(1_000, 100);
    expect(rate.left(0)).toBe(1_000);
    rate.take(600);
    expect(rate.left(-100)).toBe(400);
  });
});

describe("the modules that a thread imports ahead of their calls", () => {
  test("are those that were added since it was told last, without those that it has by then", () => {
    const modules = ["a", "b"];
    const preloads = new Preloads(modules, ["a"]);
    expect([preloads.areUnderWay, preloads.oldest]).toEqual([false, null]);
    expect(preloads.start(5)).toEqual(["b"]);
    expect(preloads.start(6)).toEqual([]);
    modules.push("c", "d");
    preloads.end("c");
    expect(preloads.start(7)).toEqual(["d"]);
    expect(preloads.oldest).toEqual({ module: "b", since: 5 });
    expect([preloads.isUnderWay("b"), preloads.isUnderWay("c"), preloads.isUnderWay("a")]).toEqual([
      true,
      false,
      false,
    ]);
    preloads.end("b");
    expect(preloads.oldest).toEqual({ module: "d", since: 7 });
    preloads.end("d");
    expect([preloads.areUnderWay, preloads.oldest]).toEqual([false, null]);
  });
});

describe("a stream's credit", () => {
  test("is used up by as many chunks as the window has, and by no fewer", () => {
    const credit = new ProducerCredit();
    for (let chunk = 1; chunk < streamWindow; chunk++) credit.spend(1);
    expect(credit.available).toBe(true);
    credit.spend(1);
    expect(credit.available).toBe(false);
    credit.refund(1);
    expect(credit.available).toBe(true);
  });

  test("is used up by as much text as the window has, which comes back with the chunk that had it", () => {
    const credit = new ProducerCredit();
    credit.spend(1);
    credit.spend(streamWindowSize - 2);
    expect(credit.available).toBe(true);
    credit.spend(1);
    expect(credit.available).toBe(false);
    credit.refund(1);
    expect(credit.available).toBe(true);
  });

  test("is refunded when half of the window was consumed, in chunks or in text, and not before", () => {
    const many = new ConsumerCredit();
    for (let chunk = 0; chunk < streamWindow; chunk++) many.arrived(1);
    expect([many.consume(streamWindow / 2 - 1), many.consume(1)]).toEqual([0, streamWindow / 2]);
    expect([many.chunks, many.size]).toEqual([streamWindow / 2, streamWindow / 2]);
    const large = new ConsumerCredit();
    large.arrived(streamWindowSize / 2 - 1);
    large.arrived(1);
    large.arrived(7);
    expect([large.consume(1), large.consume(1)]).toEqual([0, 2]);
    expect([large.chunks, large.size]).toEqual([1, 7]);
  });
});
