import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CircuitBreaker, type Trial } from "../../../src/worker/functions/circuit-breaker.ts";

// opossum asks the global timers and Date for the time.
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const cooldownMs = 1_000;

function createBreaker(threshold = 3) {
  const events: unknown[] = [];
  const breaker = new CircuitBreaker({
    threshold,
    cooldownMs,
    onOpen: (failures) => events.push(failures),
    onClose: () => events.push("close"),
  });
  return { breaker, events };
}

function trialOf(breaker: CircuitBreaker): Trial {
  const admission = breaker.admit();
  if (typeof admission === "string") throw new Error(`No trial but ${admission}`);
  return admission;
}

/** Lets opossum's promises settle. */
const settle = () => vi.advanceTimersByTimeAsync(0);

describe("a circuit breaker", () => {
  test("opens at the n-th failure in a row; a success starts the count again", () => {
    const { breaker, events } = createBreaker(3);
    breaker.failed();
    breaker.failed();
    breaker.succeeded();
    breaker.failed();
    breaker.failed();
    expect([breaker.isOpen, breaker.admit(), events]).toEqual([false, "allowed", []]);
    breaker.failed();
    expect([breaker.isOpen, breaker.admit(), events]).toEqual([true, "refused", [3]]);
  });

  test("lets exactly one trial through after the cooldown, and closes when it succeeds", async () => {
    const { breaker, events } = createBreaker(1);
    breaker.failed();
    await vi.advanceTimersByTimeAsync(cooldownMs - 1);
    expect([breaker.isRefusing, breaker.admit()]).toEqual([true, "refused"]);
    await vi.advanceTimersByTimeAsync(1);
    expect([breaker.isOpen, breaker.isRefusing]).toEqual([true, false]);
    const trial = trialOf(breaker);
    expect([breaker.isRefusing, breaker.admit()]).toEqual([true, "refused"]);
    trial.succeeded();
    await settle();
    expect([breaker.isRefusing, breaker.isOpen, breaker.admit()]).toEqual([false, false, "allowed"]);
    expect(events).toEqual([1, "close"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("opens again for another cooldown when the trial fails", async () => {
    const { breaker, events } = createBreaker(1);
    breaker.failed();
    await vi.advanceTimersByTimeAsync(cooldownMs);
    trialOf(breaker).failed();
    await settle();
    expect([breaker.admit(), events]).toEqual(["refused", [1, 2]]);
    await vi.advanceTimersByTimeAsync(cooldownMs);
    trialOf(breaker);
  });

  test("tells how often the function failed in a row, whatever calls from before tell while it is open", async () => {
    const { breaker, events } = createBreaker(2);
    breaker.failed();
    breaker.failed();
    breaker.succeeded();
    breaker.failed();
    await vi.advanceTimersByTimeAsync(cooldownMs);
    trialOf(breaker).failed();
    await settle();
    expect(events).toEqual([2, 3]);
  });

  test("takes a trial without an answer for a failure, but believes its late success", async () => {
    const { breaker, events } = createBreaker(1);
    breaker.failed();
    await vi.advanceTimersByTimeAsync(cooldownMs);
    const trial = trialOf(breaker);
    await vi.advanceTimersByTimeAsync(cooldownMs);
    expect([breaker.admit(), events]).toEqual(["refused", [1, 2]]);
    trial.succeeded();
    await settle();
    expect([breaker.admit(), events]).toEqual(["allowed", [1, 2, "close"]]);
  });

  test("gives the trial to the next call when the first said nothing", async () => {
    const { breaker } = createBreaker(1);
    breaker.failed();
    await vi.advanceTimersByTimeAsync(cooldownMs);
    breaker.abandon(trialOf(breaker));
    trialOf(breaker).succeeded();
    await settle();
    expect(breaker.isOpen).toBe(false);
  });

  test("does not let a trial that was given up end the cooldown, or the next trial", async () => {
    const { breaker } = createBreaker(1);
    breaker.failed();
    await vi.advanceTimersByTimeAsync(cooldownMs);
    const late = trialOf(breaker);
    await vi.advanceTimersByTimeAsync(cooldownMs);
    breaker.abandon(late);
    expect(breaker.admit()).toBe("refused");
    await vi.advanceTimersByTimeAsync(cooldownMs);
    trialOf(breaker);
    breaker.abandon(late);
    expect(breaker.admit()).toBe("refused");
  });

  test("leaves no timer when it is closed", () => {
    const { breaker } = createBreaker(1);
    breaker.failed();
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    breaker.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("agrees with a plain model, whatever happens in which order", async () => {
    const step = fc.constantFrom("admit", "succeed", "fail", "abandon", "half a cooldown", "a cooldown");
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 40 }), async (threshold, steps) => {
        const { breaker, events } = createBreaker(threshold);
        const model = { failures: 0, openUntil: null as number | null, closes: 0, opens: 0 };
        let trial: { outcome: Trial; until: number } | null = null;
        let now = 0;
        const open = (at = now): void => {
          model.openUntil = at + cooldownMs;
          model.opens++;
        };
        for (const what of steps) {
          if (what === "half a cooldown" || what === "a cooldown") {
            const ms = what === "a cooldown" ? cooldownMs : cooldownMs / 2;
            await vi.advanceTimersByTimeAsync(ms);
            now += ms;
            if (trial !== null && now >= trial.until) {
              open(trial.until);
              trial = null;
            }
          } else if (what === "admit") {
            const admission = breaker.admit();
            if (model.openUntil === null) expect(admission).toBe("allowed");
            else if (trial !== null || now < model.openUntil) expect(admission).toBe("refused");
            else trial = { outcome: admission as Trial, until: now + cooldownMs };
          } else if (trial !== null) {
            if (what === "succeed") {
              trial.outcome.succeeded();
              model.openUntil = null;
              model.failures = 0;
              model.closes++;
            } else if (what === "fail") {
              trial.outcome.failed();
              open();
            } else breaker.abandon(trial.outcome);
            trial = null;
            await settle();
          } else if (what === "succeed") {
            breaker.succeeded();
            if (model.openUntil === null) model.failures = 0;
          } else if (what === "fail") {
            breaker.failed();
            if (model.openUntil === null && ++model.failures === threshold) open();
          }
          expect(breaker.isOpen).toBe(model.openUntil !== null);
          expect(events.filter((event) => event === "close")).toHaveLength(model.closes);
          expect(events.filter((event) => event !== "close")).toHaveLength(model.opens);
        }
        breaker.close();
        await settle();
        expect(vi.getTimerCount()).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
