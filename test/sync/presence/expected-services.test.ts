import { expect, test } from "vitest";
import { ExpectedServices } from "../../../src/sync/presence/expected-services.ts";
import { SimulatedClock, settled } from "../../support/simulated-clock.ts";

function open(...services: string[]) {
  const clock = new SimulatedClock();
  return { clock, expected: new ExpectedServices(services, clock, 1_000) };
}

test("A service is expected until its functions have come, and again when the last of them go", () => {
  const { expected } = open("users", "orders");
  expect([expected.isExpected("users"), expected.isExpected("other")]).toEqual([true, false]);
  expected.arrived("users");
  expected.arrived("other");
  expect([expected.isExpected("users"), expected.missing()]).toEqual([false, ["orders"]]);
  expected.gone("users");
  expect([expected.isExpected("users"), expected.missing()]).toEqual([true, ["users", "orders"]]);
});

test("Whoever waits for all of them is told when the last has come, at once where none is expected", async () => {
  await open().expected.allArrived();
  const { expected } = open("users", "orders");
  let isTold = false;
  const waiting = expected.allArrived().then(() => {
    isTold = true;
  });
  expected.arrived("users");
  expected.arrived("users");
  expected.arrived("other");
  await settled();
  expect(isTold).toBe(false);
  expected.arrived("orders");
  await waiting;
  await expected.allArrived();
});

test("Whoever waits is told when the gateway stops", async () => {
  const { expected } = open("users");
  const waiting = expected.allArrived();
  expected.close(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
});

test("A service counts as missing when none of its nodes was here for as long as a restart may take", () => {
  const { clock, expected } = open("users");
  expected.arrived("users");
  let isHere = false;
  const look = () => expected.look(() => isHere);
  look();
  clock.advance(999);
  // It is as long as since the first look.
  look();
  expect(expected.missing()).toEqual([]);
  clock.advance(1);
  expect(expected.missing()).toEqual(["users"]);
  isHere = true;
  look();
  expect(expected.missing()).toEqual([]);
  isHere = false;
  look();
  clock.advance(999);
  expect(expected.missing()).toEqual([]);
});
