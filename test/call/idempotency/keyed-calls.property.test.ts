import fc from "fast-check";
import { expect, test } from "vitest";
import type { Caller } from "../../../src/call/request/caller.ts";
import { unavailable } from "../../../src/call/request/failure.ts";
import { GenApiError } from "../../../src/core/errors.ts";
import { pipelineOf } from "../../support/pipeline.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ ask: fc.nat(2), requestType: fc.constantFrom("sync", "async") }) },
  { weight: 3, arbitrary: fc.record({ settle: fc.nat(5), how: fc.constantFrom("result", "failure", "not_begun") }) },
  { weight: 2, arbitrary: fc.record({ disconnect: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.record({ cancel: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.record({ passMs: fc.constantFrom(10_000, 31_000) }) },
  // Lets permission callbacks answer.
  { weight: 2, arbitrary: fc.constant("turn" as const) },
);

interface Asked {
  readonly id: string;
  readonly call: string;
  readonly by: Caller;
  isConnected: boolean;
}

test(`each key executes at most once, and whoever still listens gets one and the same final Response (seed ${seed})`, async () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), fc.boolean(), async (steps, isAsked) => {
      const common = {
        mfa: "m.echo",
        runOn: "worker",
        argTypes: { msg: "num" },
        timeout: "infinity",
        permissionCallback: isAsked ? { module: "m", function: "allowLater" } : null,
      } as const;
      const parts = await pipelineOf(
        { ...common, requestType: "sync" },
        { ...common, requestType: "async", responseType: "async" },
      );
      // Where the callback is asked, it is an attempt too.
      const executions = () =>
        parts.onWorker.filter(({ attempt }) => attempt.function === "echo").map(({ attempt }) => attempt);
      const answerCallbacks = async () => {
        for (let round = 0; round < 3; round++) {
          for (const { attempt } of parts.onWorker) if (attempt.function === "allowLater") attempt.succeeded("true");
          await turn();
        }
      };
      const asked: Asked[] = [];
      const settled = new Set<unknown>();
      const notBegun = new Set<unknown>();
      let passedMs = 0;
      for (const each of steps) {
        if (each === "turn") await answerCallbacks();
        else if ("ask" in each) {
          const { ask: key, requestType } = each;
          const by = parts.caller();
          const id = `r${asked.length}`;
          asked.push({ id, call: `${requestType} ${key}`, by, isConnected: true });
          parts.request(requestType, { request_id: id, args: { msg: key }, idempotency_key: `k${key}` }, by);
        } else if ("settle" in each) {
          const open = executions().filter((attempt) => !settled.has(attempt));
          const attempt = open[each.settle % Math.max(1, open.length)];
          if (attempt === undefined) continue;
          settled.add(attempt);
          if (each.how === "not_begun") {
            notBegun.add(attempt);
            attempt.failed(unavailable, false);
          } else if (each.how === "result") attempt.succeeded(String(settled.size));
          else attempt.failed(new GenApiError("sold_out", String(settled.size)), true);
        } else if ("disconnect" in each) {
          const one = asked[each.disconnect];
          if (one === undefined) continue;
          one.isConnected = false;
          one.by.calls.detachAll();
        } else if ("cancel" in each) {
          const one = asked[each.cancel];
          one?.by.calls.cancel(one.id)?.();
        } else if (passedMs + each.passMs < 300_000) {
          // Longer than that nothing is kept, and a key may execute again.
          passedMs += each.passMs;
          parts.clock.advance(each.passMs);
        }
      }
      for (let round = 0; round < 3; round++) {
        await answerCallbacks();
        for (const attempt of executions()) if (!settled.has(attempt)) attempt.succeeded('"late"');
      }

      const executed = new Map<string, number>();
      for (const attempt of executions()) {
        const name = `${attempt.requestType} ${attempt.args[0]}`;
        if (!notBegun.has(attempt)) executed.set(name, (executed.get(name) ?? 0) + 1);
      }
      for (const [name, times] of executed) expect([name, times]).toEqual([name, 1]);
      const finals = new Map<string, Record<string, unknown>[]>();
      for (const { id, call, isConnected } of asked) {
        const responses = parts.sent.map(({ response }) => response).filter(({ request_id }) => request_id === id);
        const last = responses.filter(({ async: isAsync }) => !isAsync);
        if (isConnected) expect([id, last.length]).toEqual([id, 1]);
        expect(last.length).toBeLessThanOrEqual(1);
        if (last[0] !== undefined) finals.set(call, [...(finals.get(call) ?? []), last[0]]);
      }
      for (const responses of finals.values()) {
        // Except for what was refused, or given up, before anything was executed, everybody hears the same.
        const heard = responses
          .filter(({ success, error_code }) => success || error_code === "failed")
          .map(({ request_id: _, replayed: __, ...rest }) => JSON.stringify(rest));
        expect(new Set(heard).size).toBeLessThanOrEqual(1);
      }
      expect(parts.running.size).toBe(0);
    }),
    { seed, numRuns: 200 },
  );
});
