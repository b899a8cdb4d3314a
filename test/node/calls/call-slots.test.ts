import { describe, expect, test } from "vitest";
import { CallSlots, NumberedCalls } from "../../../src/node/calls/call-slots.ts";
import { maxCallsInFlight } from "../../../src/node/wire/node-protocol.ts";

const item = () => ({ id: -1 });

describe("the calls that a gateway numbers", () => {
  test("are found under their ids, which are not given again to those that come into their slots", () => {
    const calls = new NumberedCalls();
    const [first, second, third] = [item(), item(), item()];
    calls.add(first);
    calls.add(second);
    expect([first.id, second.id, calls.size]).toEqual([0, 1, 2]);
    expect(calls.delete(first)).toBe(0);
    expect([calls.get(0), calls.get(1), calls.size]).toEqual([null, second, 1]);
    calls.add(third);
    expect([third.id, calls.get(third.id), calls.get(0)]).toEqual([maxCallsInFlight, third, null]);
  });

  test("are taken out once", () => {
    const calls = new NumberedCalls();
    const [first, second] = [item(), item()];
    calls.add(first);
    expect([calls.delete(first), calls.delete(first), calls.size]).toEqual([0, -1, 0]);
    calls.add(second);
    // Its slot is the other's now, and freed once: two calls would share it.
    expect([calls.delete(first), calls.get(second.id), calls.size]).toEqual([-1, second, 1]);
    const third = item();
    calls.add(third);
    expect([second.id % maxCallsInFlight, third.id % maxCallsInFlight]).toEqual([0, 1]);
  });

  test("have had the ids that were given so far, and no others", () => {
    const calls = new NumberedCalls();
    const first = item();
    calls.add(first);
    expect([0, 1, maxCallsInFlight].map((id) => calls.hasGiven(id))).toEqual([true, false, false]);
    calls.delete(first);
    calls.add(item());
    const given = [0, maxCallsInFlight, 2 * maxCallsInFlight, -1, 0.5, "0", null, Number.NaN];
    expect(given.map((id) => calls.hasGiven(id))).toEqual([true, true, false, false, false, false, false, false]);
  });

  test("all leave at once, where the pipe has ended", () => {
    const calls = new NumberedCalls();
    const [first, second, third] = [item(), item(), item()];
    for (const each of [first, second, third]) calls.add(each);
    calls.delete(second);
    expect([calls.clear(), calls.size, calls.get(0)]).toEqual([[first, third], 0, null]);
  });
});

test("A node takes a call under any id that can be, once its slot is free", () => {
  const slots = new CallSlots();
  const [first, second] = [item(), item()];
  expect(slots.put(5, first)).toBe(true);
  expect([slots.put(5, second), slots.put(5 + maxCallsInFlight, second), slots.size]).toEqual([false, false, 1]);
  for (const id of [-1, 0.5, Number.NaN, 2 ** 53]) expect(slots.put(id, second)).toBe(false);
  slots.delete(first);
  expect([slots.put(5 + maxCallsInFlight, second), slots.get(5), slots.get(5 + maxCallsInFlight)]).toEqual([
    true,
    null,
    second,
  ]);
});
