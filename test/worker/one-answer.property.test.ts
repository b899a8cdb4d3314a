import fc from "fast-check";
import { expect, test } from "vitest";
import { fixture, openPool, run, start } from "./open-pool.ts";

const identity = {
  requestId: "r1",
  requestType: "x",
  service: "test",
  version: null,
  userId: null,
  userIdVerified: false,
  deviceId: null,
  userRoles: [],
  trace: null,
};

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

const call = fc.oneof(
  { weight: 20, arbitrary: harmless.map((what) => ({ what, cancel: false })) },
  { weight: 2, arbitrary: harmful.map((what) => ({ what, cancel: false })) },
  { weight: 3, arbitrary: fc.oneof(harmless, endless).map((what) => ({ what, cancel: true })) },
);

test("every call is answered exactly once, one that was cancelled at most once, whatever runs beside it", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(call, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 5 }),
      async (turns, places) => {
        // A promise that never settles holds its place.
        const maxInFlight = places + turns.flat().filter(({ cancel }) => cancel).length;
        await using pool = openPool({
          threads: 2,
          maxInFlight,
          maxQueueSize: 1_000,
          wedgeGraceMs: 150,
          pingIntervalMs: 20,
          circuitBreakerThreshold: 1_000,
          resourceLimits: { maxOldGenerationSizeMb: 32 },
        });
        const answered = [];
        const cancelled = [];
        for (const turn of turns) {
          for (const { what, cancel } of turn) {
            const [name, args] = what;
            const started = start(pool, name, args, { identity, module: fixture("functions.mjs") });
            if (!cancel) answered.push(started);
            else {
              cancelled.push(started);
              started.cancel("timeout");
            }
          }
          await new Promise(setImmediate);
        }
        await Promise.all(answered.map(({ outcome }) => outcome));
        await run(pool, "later", ["the pool still works"]);
        await pool.close();
        expect(answered.map(({ answers }) => answers)).toEqual(answered.map(() => 1));
        // Refused before it could be cancelled is an answer too; here nothing is refused.
        expect(cancelled.map(({ answers }) => answers)).toEqual(cancelled.map(() => 0));
      },
    ),
    { numRuns: 15, interruptAfterTimeLimit: 25_000 },
  );
}, 60_000);
