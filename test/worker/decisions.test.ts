import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GenApiError } from "../../src/core/errors.ts";
import { ConsumerCredit, ProducerCredit, streamWindow, streamWindowSize } from "../../src/execution/stream-credit.ts";
import { errorOf, thrownData } from "../../src/execution/thrown-data.ts";
import { blamed } from "../../src/worker/blame.ts";
import type { PoolFunction } from "../../src/worker/functions/pool-function.ts";
import { judgeThread, WedgeWatch } from "../../src/worker/wedge-watch.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

describe("a stream's credit", () => {
  test("is never more than the window, and never stuck when everything was consumed", () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2 * streamWindowSize }));
    fc.assert(
      fc.property(
        fc.array(size, { minLength: 1, maxLength: 300 }),
        fc.infiniteStream(fc.nat(streamWindow)),
        (sizes, taken) => {
          const producer = new ProducerCredit();
          const consumer = new ConsumerCredit();
          const unread: number[] = [];
          let sent = 0;
          while (sent < sizes.length) {
            while (producer.available && sent < sizes.length) {
              const next = sizes[sent++] as number;
              // Only the chunk that crosses the line may be beyond it.
              expect(unread.reduce((sum, one) => sum + one, 0)).toBeLessThan(streamWindowSize);
              producer.spend(next);
              consumer.arrived(next);
              unread.push(next);
              expect(unread.length).toBeLessThanOrEqual(streamWindow);
            }
            const some = Math.min(taken.next().value as number, unread.length);
            unread.splice(0, some);
            producer.refund(consumer.consume(some));
            if (producer.available) continue;
            const rest = unread.splice(0).length;
            producer.refund(consumer.consume(rest));
            expect(producer.available).toBe(true);
          }
        },
      ),
    );
  });

  test("is refunded by halves of the window", () => {
    const consumer = new ConsumerCredit();
    for (let i = 0; i < streamWindow; i++) consumer.arrived(1);
    const refunds = Array.from({ length: streamWindow }, () => consumer.consume(1));
    expect(refunds.filter((refund) => refund > 0)).toEqual([streamWindow / 2, streamWindow / 2]);
    // What was never delivered cannot be consumed.
    expect(consumer.consume(1_000)).toBe(0);
  });
});

describe("the verdict on a thread", () => {
  const probe = { answered: false, progressed: false, lateMs: 0, graceMs: 1_000 };
  test.each([
    ["alive", { answered: true }],
    ["unsure", { progressed: true }],
    ["unsure", { lateMs: 501 }],
    ["wedged", {}],
  ] as const)("is %s with %j", (verdict, shown) => {
    expect(judgeThread({ ...probe, ...shown })).toBe(verdict);
  });

  test("comes only after a whole grace without progress", () => {
    const clock = new SimulatedClock();
    const thread = { pong: 0, progress: 0, ping: () => undefined };
    const verdicts: string[] = [];
    const watch = new WedgeWatch(thread, clock, 1_000, (verdict) => verdicts.push(verdict));
    watch.probe();
    clock.advance(999);
    thread.progress++;
    clock.advance(1);
    clock.advance(999);
    watch.probe();
    expect(verdicts).toEqual([]);
    clock.advance(1);
    expect(verdicts).toEqual(["wedged"]);
  });

  test("is taken back by a pong, and by nobody caring any more", () => {
    const clock = new SimulatedClock();
    const thread = { pong: 0, progress: 0, ping: (number: number) => number };
    const verdicts: string[] = [];
    const watch = new WedgeWatch(thread, clock, 1_000, (verdict) => verdicts.push(verdict));
    watch.probe();
    thread.pong = 1;
    clock.advance(1_000);
    watch.probe();
    watch.stop();
    clock.advance(1_000);
    expect(verdicts).toEqual(["alive"]);
  });
});

describe("the blame for a thread's death", () => {
  const [f, g] = ["f", "g"].map((name, number) => ({
    number,
    module: "m",
    moduleName: "m",
    function: name,
    breaker: null,
  })) as [PoolFunction, PoolFunction];
  const of = (called: PoolFunction, over = false, isLate = false) => ({
    function: called,
    over,
    timedOut: isLate ? { at: 0, wasAlone: false } : null,
  });

  test("is its alone whose code was on the stack", () => {
    const onStack = of(f);
    expect(blamed(onStack, [of(g), onStack])).toEqual([onStack]);
  });
  test("is nobody's when a call that was given up is the likelier cause", () => {
    expect(blamed(of(f, true), [of(g)])).toEqual([]);
    expect(blamed(null, [of(g), of(f, true)])).toEqual([]);
  });
  test("is theirs who timed out and were not heard of since, rather than their neighbours'", () => {
    const late = of(f, true, true);
    expect(blamed(null, [of(g), late])).toEqual([late]);
    expect(blamed(late, [of(g), late])).toEqual([late]);
  });
  test("is else the one function's whose calls had begun, once; of several functions nobody knows which it was", () => {
    expect(blamed(null, [of(f), of(f)]).map((task) => task.function.function)).toEqual(["f"]);
    expect(blamed(null, [of(f), of(f), of(g)])).toEqual([]);
  });
});

describe("a thrown value as data", () => {
  test("comes back, whatever it is, as an error of one of two codes", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (thrown) => {
        const data = thrownData(thrown);
        expect(errorOf(structuredClone(data))).toMatchObject({ code: "internal", message: "Internal Server Error" });
      }),
    );
  });

  test("keeps what a GenApiError tells, whatever its code, and its chain of causes to an end", () => {
    const ring: Error & { cause?: unknown } = new Error("ring");
    ring.cause = ring;
    const error = errorOf(
      structuredClone(thrownData(new GenApiError("r", "m", { code: "timeout", canRetry: true, cause: ring }))),
    );
    expect(error).toMatchObject({ code: "failed", reason: "r", message: "m", canRetry: true, retryable: false });
    let depth = 0;
    for (let at: unknown = error.cause; at instanceof Error; at = at.cause) depth++;
    expect(depth).toBeGreaterThan(1);
    expect(depth).toBeLessThan(10);
  });
});
