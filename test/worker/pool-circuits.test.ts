import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type PoolFunction, PoolFunctions } from "../../src/worker/functions/pool-function.ts";
import { PoolCircuits } from "../../src/worker/pool-circuits.ts";
import type { PoolTask } from "../../src/worker/pool-task.ts";
import type { PoolTelemetry } from "../../src/worker/pool-telemetry.ts";

// opossum asks the global timers and Date for the time.
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  const left = vi.getTimerCount();
  vi.useRealTimers();
  expect(left).toBe(0);
});

const cooldownMs = 1_000;

function open() {
  const log: string[] = [];
  const telemetry = {
    circuitOpened: ({ requestType }: { requestType: string }, failures: number) =>
      void log.push(`${requestType} opened after ${failures}`),
    circuitClosed: ({ requestType }: { requestType: string }) => void log.push(`${requestType} closed`),
  };
  const options = { circuitBreakerThreshold: 2, circuitBreakerCooldownMs: cooldownMs };
  const circuits = new PoolCircuits(options, telemetry as unknown as PoolTelemetry);
  const called = new PoolFunctions().get({ module: "file:///m.js", moduleName: "m", function: "f", ofService: false });
  const taskOf = (of: PoolFunction = called, isVerification = false) =>
    ({ function: of, target: { service: "s", requestType: of.function }, trial: null, isVerification }) as PoolTask;
  /** Opens the function's circuit. */
  const fail = () => {
    for (let call = 0; call < 2; call++) circuits.failed(taskOf());
  };
  /** A task that the open circuit lets through after its cooldown. */
  const trial = async () => {
    await vi.advanceTimersByTimeAsync(cooldownMs);
    const task = taskOf();
    expect([circuits.admits(task), task.trial === null]).toEqual([true, false]);
    return task;
  };
  return { circuits, called, log, taskOf, fail, trial };
}

const settle = () => vi.advanceTimersByTimeAsync(0);

describe("a pool's circuits", () => {
  test("count failures in a row, and forget a function at its next success", () => {
    const { circuits, called, log, taskOf } = open();
    circuits.failed(taskOf());
    expect([circuits.open, circuits.admits(taskOf())]).toEqual([[], true]);
    circuits.succeeded(taskOf());
    expect(called.breaker).toBeNull();
    circuits.failed(taskOf());
    expect(log).toEqual([]);
    circuits.failed(taskOf());
    expect([log, circuits.admits(taskOf())]).toEqual([["f opened after 2"], false]);
    expect(circuits.open).toEqual([{ module: "file:///m.js", moduleName: "m", function: "f", isRefusing: true }]);
    circuits.close();
    expect([circuits.open, called.breaker]).toEqual([[], null]);
  });

  test("stay open though a call from before succeeds late", () => {
    const { circuits, taskOf, fail } = open();
    fail();
    circuits.succeeded(taskOf());
    expect(circuits.admits(taskOf())).toBe(false);
    circuits.close();
  });

  test("let one trial through, which closes them or opens them again", async () => {
    const { circuits, called, log, taskOf, fail, trial } = open();
    fail();
    const failing = await trial();
    expect(circuits.admits(taskOf())).toBe(false);
    circuits.failed(failing);
    await settle();
    expect([failing.trial, circuits.admits(taskOf())]).toEqual([null, false]);
    circuits.succeeded(await trial());
    await settle();
    expect([called.breaker, log]).toEqual([null, ["f opened after 2", "f opened after 3", "f closed"]]);
  });

  test("are closed by the first chunk of a stream that is their trial: its end may never come", async () => {
    const { circuits, called, fail, trial, taskOf } = open();
    fail();
    const stream = await trial();
    circuits.delivered(stream);
    circuits.delivered(stream);
    await settle();
    expect([called.breaker, stream.trial]).toEqual([null, null]);
    // Its own failure counts as any other's from then on.
    circuits.failed(stream);
    expect(circuits.admits(taskOf())).toBe(true);
    circuits.close();
  });

  test("leave the next call to be the trial where one said nothing of its function", async () => {
    const { circuits, fail, trial, taskOf } = open();
    fail();
    const silent = await trial();
    circuits.abandoned(silent);
    const next = taskOf();
    expect([silent.trial, circuits.admits(next), next.trial === null]).toEqual([null, true, false]);
    circuits.close();
  });

  test("take a trial that will have no answer for a failure, and nothing else that will have none", async () => {
    const { circuits, called, log, fail, trial, taskOf } = open();
    circuits.unanswered(taskOf());
    circuits.abandoned(taskOf());
    expect(called.breaker).toBeNull();
    fail();
    circuits.unanswered(await trial());
    await settle();
    expect([log, circuits.admits(taskOf())]).toEqual([["f opened after 2", "f opened after 3"], false]);
    circuits.close();
  });

  test("do not count a function that was only to be loaded", () => {
    const { circuits, called, taskOf } = open();
    circuits.failed(taskOf(called, true));
    expect(called.breaker).toBeNull();
  });

  test("are each function's own", () => {
    const { circuits, fail, taskOf } = open();
    fail();
    const other = new PoolFunctions().get({ module: "file:///m.js", moduleName: "m", function: "g", ofService: false });
    expect(circuits.admits(taskOf(other))).toBe(true);
    circuits.succeeded(taskOf(other));
    circuits.close();
  });
});

test("A pool knows a function by its module's name, its file and its own name", () => {
  const functions = new PoolFunctions();
  const place = { module: "file:///m.js", moduleName: "m", function: "f", ofService: false };
  const first = functions.get(place);
  expect(functions.get({ ...place })).toBe(first);
  for (const other of [
    { ...place, module: "file:///n.js" },
    { ...place, moduleName: "n" },
    { ...place, function: "g" },
  ]) {
    expect(functions.get(other)).not.toBe(first);
    expect(functions.get(other)).toBe(functions.get({ ...other }));
  }
  expect(functions.all.map(({ number }) => number)).toEqual([0, 1, 2, 3]);
});
