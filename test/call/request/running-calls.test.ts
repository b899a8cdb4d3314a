import fc from "fast-check";
import { expect, test } from "vitest";
import { InFlight, type Place, RunningCalls } from "../../../src/call/request/running-calls.ts";
import { SharedBudget } from "../../../src/core/fair/shared-budget.ts";

const call = (requestId: string, aborted: string[] = []) => ({
  requestId,
  isStream: false,
  abort: (reason: string) => aborted.push(requestId, reason),
  detach: () => undefined,
  stop: () => undefined,
  acknowledge: () => false,
});

test("after random additions and removals it holds what a plain set of them holds", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ add: fc.boolean(), which: fc.nat(20) }), { maxLength: 80 }), (steps) => {
      const budget = new SharedBudget(1_000_000);
      const inFlight = new InFlight(5, 5, 1_000, budget);
      const calls = new RunningCalls(inFlight);
      const model = new Map<string, Place>();
      for (const [step, { add, which }] of steps.entries()) {
        const name = [...model.keys()][which % Math.max(1, model.size)];
        if (add || name === undefined) {
          model.set(`r${step}`, calls.add(call(`r${step}`), which));
        } else {
          calls.delete(model.get(name) as Place);
          model.delete(name);
        }
        const weight = [...model.values()].reduce((sum, place) => sum + place.weight, 0);
        expect([calls.size, inFlight.count, inFlight.held, budget.used]).toEqual([
          model.size,
          model.size,
          weight,
          weight,
        ]);
        expect(inFlight.boundFor(1)).toBe(model.size >= 5 ? "too_many_requests" : null);
        for (const running of model.keys()) expect(calls.cancel(running)).not.toBeNull();
      }
      expect(calls.cancel("r-none")).toBeNull();
    }),
  );
});

test("all of them are aborted, though each leaves the list when it is", () => {
  const calls = new RunningCalls();
  const aborted: string[] = [];
  for (const name of ["a", "b", "c"]) {
    const place: Place = calls.add({
      ...call(name),
      abort(reason) {
        aborted.push(`${name} ${reason}`);
        calls.delete(place);
      },
    });
  }
  calls.abortAll("disconnected");
  expect(aborted).toEqual(["a disconnected", "b disconnected", "c disconnected"]);
  expect(calls.size).toBe(0);
});

test("whoever waits for the end hears of it when the last has left", async () => {
  const calls = new RunningCalls();
  await calls.finished();
  const places = [calls.add(call("a")), calls.add(call("b"))];
  let finished = false;
  const waiting = calls.finished().then(() => {
    finished = true;
  });
  calls.delete(places[0] as Place);
  await Promise.resolve();
  expect(finished).toBe(false);
  calls.delete(places[1] as Place);
  await waiting;
});

test("arguments of requests under way have a bound in bytes, but one request may be larger alone", () => {
  const inFlight = new InFlight(100, 100, 1_000, new SharedBudget(100_000));
  const calls = new RunningCalls(inFlight);
  expect(inFlight.boundFor(5_000)).toBeNull();
  const large = calls.add(call("large"), 5_000);
  expect(inFlight.boundFor(1)).toBe("too_many_bytes");
  calls.lighten(large);
  expect(inFlight.boundFor(1_000)).toBeNull();
  calls.delete(large);
  expect([inFlight.count, inFlight.held]).toEqual([0, 0]);
});

test("bounds are reached exactly: as many calls, streams and bytes as allowed, and no more", () => {
  const inFlight = new InFlight(2, 1, 1_000, new SharedBudget(100_000));
  const calls = new RunningCalls(inFlight);
  const first = calls.add(call("first"), 400);
  expect([inFlight.boundFor(600), inFlight.boundFor(601)]).toEqual([null, "too_many_bytes"]);
  expect(inFlight.isFullOfStreams).toBe(false);
  calls.countStream(first);
  // Told twice, it is one stream all the same.
  calls.countStream(first);
  expect([inFlight.isFullOfStreams, inFlight.streams]).toEqual([true, 1]);
  const second = calls.add(call("second"), 600);
  expect(inFlight.boundFor(0)).toBe("too_many_requests");
  calls.delete(first);
  expect([inFlight.isFullOfStreams, inFlight.streams, inFlight.boundFor(400), inFlight.boundFor(401)]).toEqual([
    false,
    0,
    null,
    "too_many_bytes",
  ]);
  calls.delete(second);
});

test("what all connections share bounds each of them", () => {
  const budget = new SharedBudget(1_000);
  const [one, two] = [new InFlight(10, 10, 10_000, budget), new InFlight(10, 10, 10_000, budget)];
  const calls = new RunningCalls(one);
  const place = calls.add(call("a"), 600);
  expect([two.boundFor(400), two.boundFor(401)]).toEqual([null, "too_many_bytes"]);
  calls.delete(place);
  expect(two.boundFor(1_000)).toBeNull();
});

test("streams alone are stopped, and found, by their request id; all calls of it are cancelled", () => {
  const calls = new RunningCalls();
  const log: string[] = [];
  const named = (name: string, isStream: boolean) => ({
    ...call(name, log),
    isStream,
    detach: () => undefined,
    stop: () => log.push(`${name} stopped`),
    acknowledge: () => false,
  });
  for (const [name, isStream] of [
    ["call", false],
    ["stream", true],
    ["both", false],
    ["both", true],
  ] as const) {
    calls.add(named(name, isStream));
  }
  expect(["call", "stream", "both", "none"].map((name) => calls.hasStream(name))).toEqual([false, true, true, false]);
  expect([calls.stopStream("call"), calls.stopStream("none")]).toEqual([null, null]);
  calls.stopStream("stream")?.();
  expect(log.splice(0)).toEqual(["stream stopped"]);
  calls.cancel("both")?.();
  expect(log).toEqual(["both", "cancelled", "both", "cancelled"]);
});

test("whoever waits for the end is told once", async () => {
  const calls = new RunningCalls();
  const first = calls.add(call("a"));
  let ends = 0;
  const waiting = calls.finished().then(() => ends++);
  calls.delete(first);
  await waiting;
  calls.delete(calls.add(call("b")));
  await Promise.resolve();
  expect(ends).toBe(1);
});

test("a call that goes on when its caller is gone counts as long as it runs, and is not ended with the others", () => {
  const inFlight = new InFlight(1, 1, 1_000, new SharedBudget(100_000));
  const calls = new RunningCalls(inFlight);
  const aborted: string[] = [];
  const place = calls.count(call("cast", aborted), 10);
  expect(inFlight.boundFor(0)).toBe("too_many_requests");
  calls.abortAll("disconnected");
  expect([aborted, calls.size]).toEqual([[], 0]);
  calls.delete(place);
  expect([inFlight.count, inFlight.held]).toEqual([0, 0]);
});
