import fc from "fast-check";
import { expect, test } from "vitest";
import { type Place, RunningCalls } from "../../src/call/running-calls.ts";

const call = (requestId: string, aborted: string[] = []) => ({
  requestId,
  isStream: false,
  abort: (reason: string) => aborted.push(requestId, reason),
  stop: () => undefined,
});

test("after random additions and removals it holds what a plain set of them holds", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ add: fc.boolean(), which: fc.nat(20) }), { maxLength: 80 }), (steps) => {
      const inFlight = { count: 0, max: 5 };
      const calls = new RunningCalls(inFlight);
      const model = new Map<string, Place>();
      for (const [step, { add, which }] of steps.entries()) {
        const name = [...model.keys()][which % Math.max(1, model.size)];
        if (add || name === undefined) {
          model.set(`r${step}`, calls.add(call(`r${step}`)));
        } else {
          calls.delete(model.get(name) as Place);
          model.delete(name);
        }
        expect([calls.size, inFlight.count, calls.isFull]).toEqual([model.size, model.size, model.size >= 5]);
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
