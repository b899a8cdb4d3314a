import { afterEach, describe, expect, test } from "vitest";
import { Attempt, type Executor } from "../../src/call/attempt.ts";
import { unavailable } from "../../src/call/request/failure.ts";
import { hostShare } from "../../src/core/fair/share.ts";
import { Deadlines } from "../../src/core/time/deadlines.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const opened: Deadlines[] = [];

afterEach(() => {
  for (const deadlines of opened.splice(0)) deadlines.close();
});

/** An attempt, and all that its owner and its executor hear. */
function open({ timeoutMs = 1_000 as number | null, run = (_attempt: Attempt): void => undefined } = {}) {
  const clock = new SimulatedClock();
  const deadlines = new Deadlines(clock);
  opened.push(deadlines);
  const log: string[] = [];
  const owner = {
    onAttemptSucceeded: (json: string): void => void log.push(`succeeded ${json}`),
    onAttemptFailed: (failure: { code: string }, begun: boolean): void => {
      log.push(`failed ${failure.code}${begun ? "" : ", not begun"}`);
    },
    nestedCalls: (): never => {
      throw new Error("without a RequestInfo no function calls another");
    },
    onAttemptThrew: (thrown: unknown) => void log.push(`threw ${(thrown as Error).message}`),
  };
  const target = {
    module: "m",
    moduleName: "m",
    function: "f",
    ofService: false,
    main: null,
    isCast: false,
    timeoutMs,
  };
  const name = { service: "s", requestType: "f", version: null };
  const attempt = new Attempt(name, target, [], null, null, { share: hostShare, depth: 0 }, 1_000, owner);
  const executor: Executor = {
    run(started) {
      run(started);
      return { cancel: (reason) => void log.push(`cancel ${reason}`) };
    },
  };
  attempt.start(executor, deadlines);
  return { clock, attempt, log, owner };
}

describe("an attempt", () => {
  test("ends once: what comes after its answer, its timeout among it, is dropped", () => {
    for (const end of ["succeeded", "failed", "abort"] as const) {
      const { clock, attempt, log } = open();
      if (end === "succeeded") attempt.succeeded("1");
      else if (end === "failed") attempt.failed(unavailable, false);
      else attempt.abort("cancelled", unavailable);
      const first = [...log];
      attempt.succeeded("2");
      attempt.failed(unavailable);
      attempt.abort("cancelled", unavailable);
      clock.advance(1_000);
      expect(log).toEqual(first);
      expect(clock.pending).toBe(0);
    }
  });

  test("is given up at its timeout: its owner hears so, and its function's signal aborts", () => {
    const { clock, log } = open({ timeoutMs: 50 });
    clock.advance(49);
    expect(log).toEqual([]);
    clock.advance(1);
    expect(log).toEqual(["cancel timeout", "failed timeout"]);
  });

  test("waits without end where it has no timeout, and sets none where it was answered at once", () => {
    expect(open({ timeoutMs: null }).clock.pending).toBe(0);
    const answered = open({ run: (attempt) => attempt.succeeded("1") });
    expect([answered.log, answered.clock.pending]).toEqual([["succeeded 1"], 0]);
  });

  test("may have begun where its executor throws", () => {
    const { log, clock } = open({
      run: () => {
        throw new Error("broken");
      },
    });
    expect([log, clock.pending]).toEqual([["failed internal"], 0]);
  });

  test("tells its owner of what the owner itself threw, whichever end it heard of", () => {
    const { attempt, owner, log } = open();
    owner.onAttemptSucceeded = () => {
      throw new Error("on success");
    };
    attempt.succeeded("1");
    const other = open();
    other.owner.onAttemptFailed = () => {
      throw new Error("on failure");
    };
    other.attempt.failed(unavailable);
    expect([log, other.log]).toEqual([["threw on success"], ["threw on failure"]]);
  });
});
