import fc from "fast-check";
import { expect, test } from "vitest";
import { identity } from "../support/identity.ts";
import { openPool, run, start, type TestCall } from "./open-pool.ts";

const harmless = fc.constantFrom(
  ["echo", [1]],
  ["later", [{ a: 1 }]],
  ["told", []],
  ["broken", []],
  ["rejects", []],
  ["cycle", []],
  ["bigint", []],
  ["thenThrows", []],
  ["settlesTwice", []],
  ["throwsUnreadable", []],
  ["strayRejection", []],
  ["strayThrow", []],
  ["noSuchFunction", []],
  ["echo", [() => "cannot be cloned"]],
  ["holdFor", [2]],
) as fc.Arbitrary<[string, unknown[]]>;
const harmful = fc.constantFrom(["exit", [1]], ["exitLater", []], ["memory", []]) as fc.Arbitrary<[string, unknown[]]>;
// These answer only when they are cancelled, or never; some hold their thread until it is replaced.
const endless = fc.constantFrom(
  ["never", []],
  ["untilAborted", []],
  ["forever", []],
  ["foreverLater", []],
) as fc.Arbitrary<[string, unknown[]]>;

const waiting = fc.constantFrom(["never", []], ["untilAborted", []]) as fc.Arbitrary<[string, unknown[]]>;

/** `cancel` says who cancels it: nobody, its caller at once, or the one before it, in its listener. */
type Cancel = "never" | "at once" | "by the one before";
const of = (what: fc.Arbitrary<[string, unknown[]]>, cancel: Cancel) => what.map((named) => ({ what: named, cancel }));

const call = fc.oneof(
  { weight: 20, arbitrary: of(harmless, "never") },
  { weight: 2, arbitrary: of(harmful, "never") },
  { weight: 3, arbitrary: of(fc.oneof(harmless, endless), "at once") },
  { weight: 5, arbitrary: of(fc.oneof(harmless, waiting), "by the one before") },
);

test("every call is answered exactly once, one that was cancelled at most once, whatever runs beside it", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(call, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 5 }),
      async (turns, places) => {
        // A promise that never settles holds its place.
        const maxInFlight = places + turns.flat().filter(({ cancel }) => cancel !== "never").length;
        await using pool = openPool({
          threads: 2,
          maxInFlight,
          maxQueueSize: 1_000,
          wedgeGraceMs: 150,
          pingIntervalMs: 20,
          circuitBreakerThreshold: 1_000,
          resourceLimits: { maxOldGenerationSizeMb: 32 },
        });
        const answered: TestCall[] = [];
        const atMostOnce: TestCall[] = [];
        const cancelled: TestCall[] = [];
        for (const turn of turns) {
          const started: TestCall[] = [];
          for (const [at, { what, cancel }] of turn.entries()) {
            const [name, args] = what;
            const cancelsNext = (): void => {
              const next = started[at + 1];
              if (turn[at + 1]?.cancel === "by the one before") next?.cancel("cancelled");
            };
            const call = start(pool, name, args, { identity, answered: cancelsNext });
            started.push(call);
            if (cancel === "never") answered.push(call);
            else if (cancel === "by the one before") atMostOnce.push(call);
            else {
              cancelled.push(call);
              call.cancel("timeout");
            }
          }
          await new Promise(setImmediate);
        }
        await Promise.all(answered.map(({ outcome }) => outcome));
        await run(pool, "later", ["the pool still works"]);
        await pool.close();
        expect(answered.map(({ answers }) => answers)).toEqual(answered.map(() => 1));
        expect(Math.max(0, ...atMostOnce.map(({ answers }) => answers))).toBeLessThanOrEqual(1);
        // Refused before it could be cancelled is an answer too; here nothing is refused.
        expect(cancelled.map(({ answers }) => answers)).toEqual(cancelled.map(() => 0));
      },
    ),
    { numRuns: 15, interruptAfterTimeLimit: 25_000 },
  );
});
