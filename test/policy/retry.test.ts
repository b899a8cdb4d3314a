import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ErrorCode, errorCodes, GenApiError, libraryError } from "../../src/core/errors.ts";
import { isRetryable, nextStep, type RetriedFailure, type Retry, retryPlan } from "../../src/policy/retry.ts";

describe("a FunConfig's retry", () => {
  it("is a number of further attempts, on all nodes unless it says the same", () => {
    expect(retryPlan(3)).toEqual({ retries: 3, nodes: "all" });
    expect(retryPlan({ allNodes: 2 })).toEqual({ retries: 2, nodes: "all" });
    expect(retryPlan({ sameNode: 1 })).toEqual({ retries: 1, nodes: "same" });
  });

  it("plans nothing with null or 0", () => {
    for (const retry of [null, 0, { sameNode: 0 }, { allNodes: 0 }]) expect(retryPlan(retry)).toBe(null);
  });
});

describe("a failure", () => {
  const retried: ErrorCode[] = ["timeout", "unavailable", "internal"];

  it.each(errorCodes.filter((code) => code !== "failed"))(
    "%s is retried if an attempt was made and may help",
    (code) => {
      for (const retryable of [true, false]) expect(isRetryable({ code, retryable })).toBe(retried.includes(code));
    },
  );

  it("that the function threw on purpose is retried only where it says so", () => {
    expect(isRetryable(new GenApiError("out_of_stock", "Nothing left"))).toBe(false);
    expect(isRetryable(new GenApiError("busy", "Later", { canRetry: true }))).toBe(false);
    expect(isRetryable(new GenApiError("busy", "Later", { retryable: true }))).toBe(true);
  });

  it("of the arguments is never retried", () => {
    expect(isRetryable(libraryError("invalid_argument", "Argument", { retryable: true }))).toBe(false);
  });
});

/** A call that fails as often as there are failures, then succeeds: what was done about each. */
function play(retry: Retry, failures: RetriedFailure[], randoms: number[]) {
  const plan = retryPlan(retry);
  const delays: number[] = [];
  const nodes = new Set<string>();
  for (const [index, failure] of failures.entries()) {
    const next = nextStep(plan, index, failure, () => randoms[index % randoms.length]!);
    if (next.step !== "retry") return { end: next.step, last: failure, attempts: index + 1, delays, nodes };
    delays.push(next.delayMs);
    nodes.add(next.nodes);
  }
  return { end: "success", last: null, attempts: failures.length + 1, delays, nodes };
}

describe("for any failures", () => {
  const count = fc.integer({ min: 0, max: 12 });
  const anyRetry: fc.Arbitrary<Retry> = fc.oneof(
    fc.constant(null),
    count,
    count.map((sameNode) => ({ sameNode })),
    count.map((allNodes) => ({ allNodes })),
  );
  const anyFailure = fc.record({
    code: fc.oneof(
      fc.constantFrom(...errorCodes),
      fc.constantFrom("timeout" as const, "unavailable" as const, "internal" as const, "failed" as const),
    ),
    retryable: fc.boolean(),
  });
  const anyRandoms = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 });
  const retriesOf = (retry: Retry) =>
    retry === null ? 0 : typeof retry === "number" ? retry : Object.values(retry)[0]!;

  it("there are at most 1 + n attempts, and as many as there can be", () => {
    fc.assert(
      fc.property(anyRetry, fc.array(anyFailure, { maxLength: 20 }), anyRandoms, (retry, failures, randoms) => {
        const { end, attempts, last } = play(retry, failures, randoms);
        const retries = retriesOf(retry);
        expect(attempts).toBeLessThanOrEqual(1 + retries);
        const stopsAt = failures.findIndex((failure) => !isRetryable(failure));
        const wanted = stopsAt === -1 ? failures.length + 1 : stopsAt + 1;
        expect(attempts).toBe(Math.min(wanted, 1 + retries));
        if (end === "exhausted") expect(retries > 0 && attempts === 1 + retries && isRetryable(last!)).toBe(true);
        if (end === "fail") expect(retries === 0 || !isRetryable(last!)).toBe(true);
        if (end === "success") expect(failures.every(isRetryable)).toBe(true);
      }),
    );
  });

  it("every wait is within its bounds, and never on other nodes than asked for", () => {
    fc.assert(
      fc.property(anyRetry, fc.array(anyFailure, { maxLength: 20 }), anyRandoms, (retry, failures, randoms) => {
        const { delays, nodes } = play(retry, failures, randoms);
        for (const [index, delay] of delays.entries()) {
          const base = Math.min(100 * 2 ** index, 5_000);
          expect(delay).toBeGreaterThanOrEqual(base * 0.5);
          expect(delay).toBeLessThan(base * 1.5);
        }
        const same = typeof retry === "object" && retry !== null && "sameNode" in retry;
        expect([...nodes]).toEqual(delays.length === 0 ? [] : [same ? "same" : "all"]);
      }),
    );
  });
});

it("waits 100, 200, 400 … 5000 ms when chance is in the middle", () => {
  const failures = Array.from({ length: 8 }, () => ({ code: "timeout" as const, retryable: false }));
  expect(play(8, failures, [0.5]).delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  expect(play(8, failures, [0]).delays.slice(0, 2)).toEqual([50, 100]);
});
