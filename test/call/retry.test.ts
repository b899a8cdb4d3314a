import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Failure, refusal } from "../../src/call/request/failure.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import { pipelineOf } from "../support/pipeline.ts";
import { recordEvents } from "../support/record-events.ts";

const flaky = { requestType: "echo", runOn: "worker" } as const;
const failure = (code: ErrorCode, retryable = true): Failure => ({ ...refusal(code, code), retryable });

describe("a function with retry", () => {
  test("is tried again after its delay, and the first success is the answer", async () => {
    const { request, sent, clock, onWorker } = await pipelineOf({ ...flaky, retry: 3 });
    request("echo");
    onWorker[0]?.attempt.failed(failure("unavailable"));
    clock.advance(99);
    expect(onWorker.length).toBe(1);
    clock.advance(1);
    expect(onWorker.length).toBe(2);
    onWorker[1]?.attempt.failed(failure("internal"));
    clock.advance(200);
    onWorker[2]?.attempt.succeeded("1");
    expect(sent).toMatchObject([{ response: { result: 1 } }]);
    expect(clock.pending).toBe(1); // the clock timer of the third attempt's cancelled deadline
    clock.advance(10_000);
    expect([clock.pending, sent.length]).toEqual([0, 1]);
  });

  test("that fails every time is `retry_exhausted`", async () => {
    const { request, sent, clock, onWorker } = await pipelineOf({ ...flaky, retry: { sameNode: 2 } });
    request("echo");
    for (let attempt = 0; attempt < 3; attempt++) {
      onWorker[attempt]?.attempt.failed(failure("unavailable"));
      clock.advance(5_000);
    }
    expect(onWorker.length).toBe(3);
    expect(sent).toMatchObject([
      { response: { error: "All retry attempts exhausted", error_code: "retry_exhausted", can_retry: false } },
    ]);
  });

  test("tells telemetry what each attempt failed with, though its client hears only that they are exhausted", async () => {
    const { request, clock, onWorker } = await pipelineOf({ ...flaky, retry: { sameNode: 1 } });
    using events = recordEvents("executor.request.exception");
    request("echo");
    for (let attempt = 0; attempt < 2; attempt++) {
      const cause = new Error(`database ${attempt} is down`);
      onWorker[attempt]?.attempt.failed({ ...failure("internal"), cause });
      clock.advance(100);
    }
    const errors = events.messages.map(({ metadata }) => (metadata as { error: Error }).error.message);
    expect(errors).toEqual(["database 0 is down", "database 1 is down"]);
  });

  test("cancelled while it waits for the next attempt is not tried again", async () => {
    const { request, sent, clock, onWorker } = await pipelineOf({ ...flaky, retry: 3 });
    const { calls } = request("echo");
    onWorker[0]?.attempt.failed(failure("unavailable"));
    calls.cancel("r1")?.();
    clock.advance(100_000);
    expect(onWorker.length).toBe(1);
    expect(sent).toMatchObject([{ response: { error_code: "cancelled" } }]);
    expect([clock.pending, calls.size]).toEqual([0, 0]);
  });

  test("is not tried again while the gateway stops", async () => {
    const { request, sent, clock, onWorker, running } = await pipelineOf({ ...flaky, retry: 3 });
    request("echo");
    running.abortAll("stopped");
    clock.advance(100_000);
    expect(onWorker.length).toBe(1);
    expect(sent).toMatchObject([{ response: { error_code: "unavailable" } }]);
  });
});

test("for random failures: the number of attempts, their delays, one final Response, nothing sent twice", async () => {
  const codes = fc.constantFrom<ErrorCode | "ok">("timeout", "unavailable", "internal", "failed", "ok");
  const outcome = fc.record({ code: codes, retryable: fc.boolean(), late: fc.boolean() });
  const retry = fc.constantFrom(null, 0, 1, 3, { sameNode: 2 }, { allNodes: 4 });
  await fc.assert(
    fc.asyncProperty(fc.array(outcome, { minLength: 1, maxLength: 8 }), retry, async (outcomes, retry) => {
      const { request, sent, clock, onWorker, running } = await pipelineOf({ ...flaky, retry });
      const allowed = retry === null ? 0 : typeof retry === "number" ? retry : (Object.values(retry)[0] ?? 0);
      const success = { code: "ok", retryable: false, late: false } as const;
      request("echo");
      let attempts = 0;
      let final = "";
      for (const { code, retryable, late } of [...outcomes, success]) {
        expect(onWorker.length).toBe(++attempts);
        const { attempt } = onWorker.at(-1) as (typeof onWorker)[number];
        if (code === "timeout") clock.advance(1_000);
        else if (code === "ok") attempt.succeeded("1");
        else attempt.failed(failure(code, retryable));
        // A second answer of the same attempt, of a thread that was given up on, changes nothing.
        if (late) attempt.succeeded("2");
        if (late) attempt.failed(failure("internal"));
        const isRetried = code !== "ok" && (code !== "failed" || retryable);
        if (!isRetried) final = code === "ok" ? "ok" : code;
        else if (attempts > allowed) final = allowed === 0 ? code : "retry_exhausted";
        if (final !== "") break;
        expect(sent).toEqual([]);
        // The random factor is 1: exactly the documented delay, not sooner.
        const delay = Math.min(100 * 2 ** (attempts - 1), 5_000);
        clock.advance(delay - 1);
        expect(onWorker.length).toBe(attempts);
        clock.advance(1);
      }
      clock.advance(100_000);
      expect(sent.map(({ response }) => response.error_code ?? "ok")).toEqual([final]);
      expect([onWorker.length, running.size, clock.pending]).toEqual([attempts, 0, 0]);
    }),
  );
});
