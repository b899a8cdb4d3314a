import { describe, expect, test } from "vitest";
import { internal, unavailable } from "../../src/call/request/failure.ts";
import { pipelineOf } from "../support/pipeline.ts";
import { recordEvents } from "../support/record-events.ts";
import { settled } from "../support/simulated-clock.ts";
import { until } from "../support/until.ts";

const echo = { requestType: "echo", argTypes: { msg: "string" } } as const;
const hi = { args: { msg: "hi" } };

describe("a beforeExecute hook", () => {
  test.each(["shout", "shoutLater"])("%s changes the arguments, which are then validated", async (hook) => {
    const { request, sent } = await pipelineOf({ ...echo, beforeExecute: `m.${hook}` });
    request("echo", hi);
    await settled();
    expect(sent).toMatchObject([{ response: { result: "hi!" } }]);
  });

  test.each(["silence", "nonsense", "spoil"])("that makes nothing usable (%s) changes nothing", async (hook) => {
    const { request, sent } = await pipelineOf({ ...echo, beforeExecute: `m.${hook}` });
    request("echo", hi);
    expect(sent).toMatchObject([{ response: { result: "hi" } }]);
  });

  test("cannot change who asks", async () => {
    const { request, sent } = await pipelineOf({
      ...echo,
      requestType: "info",
      requestInfo: true,
      beforeExecute: "m.pretend",
    });
    request("info", hi);
    expect(sent).toMatchObject([{ response: { result: { userId: "u1", userRoles: ["user"] } } }]);
  });

  test("cannot turn the request into another function's, by its request or by its FunConfig", async () => {
    const { request, sent, onWorker } = await pipelineOf({
      ...echo,
      version: "1.0.0",
      runOn: "worker",
      beforeExecute: "m.renames",
      afterExecute: { module: "m", function: "note", args: ["extra"] },
    });
    using events = recordEvents("executor.request.stop");
    request("echo", { ...hi, version: "1.0.0" });
    await until(() => onWorker.length > 0);
    const name = { service: "s", requestType: "echo", version: "1.0.0" };
    expect(onWorker[0]?.attempt).toMatchObject({ ...name, function: "echo", args: ["hi"] });
    onWorker[0]?.attempt.succeeded('"hi"');
    expect(sent).toMatchObject([{ response: { request_id: "r1", result: { was: "hi", of: "echo" } } }]);
    expect(events.messages).toMatchObject([{ metadata: { service: "s", request_type: "echo" } }]);
  });

  test("refuses by throwing; the client is told the reason", async () => {
    const beforeExecute = { module: "m", function: "refuse", args: ["quota"] };
    const { request, sent } = await pipelineOf({ ...echo, beforeExecute });
    request("echo", hi);
    expect(sent).toMatchObject([
      {
        response: { success: false, error: "hook rejected: quota", error_code: "hook_rejected", can_retry: false },
        reply: { status: "ok", response: "echo" },
      },
    ]);
  });

  test("that outlives hookTimeout refuses", async () => {
    const { request, sent, clock, running } = await pipelineOf({ ...echo, beforeExecute: "m.never", hookTimeout: 50 });
    request("echo", hi);
    expect(running.size).toBe(1);
    await clock.advanceAsync(50);
    await settled();
    expect(sent).toMatchObject([{ response: { error: "hook rejected: timed out after 50 ms" } }]);
    expect([running.size, clock.pending]).toEqual([0, 0]);
  });

  test("changes how the function is executed, and a change that is no FunConfig is internal", async () => {
    const { request, sent, clock, onWorker } = await pipelineOf(
      { ...echo, requestType: "never", runOn: "worker", argTypes: null, beforeExecute: "m.quicker" },
      { ...echo, beforeExecute: "m.broken" },
    );
    request("never");
    // The changed configuration is compiled first, which takes turns of the event loop.
    await until(() => onWorker.length === 1);
    clock.advance(100);
    request("echo", hi);
    await until(() => sent.length === 2);
    expect(sent.map(({ response }) => response.error)).toEqual([
      "Request timed out after 100 ms",
      "Internal Server Error",
    ]);
  });

  test("may add arguments that the client left out, and changes nothing for the next request by changing what it is shown", async () => {
    const { request, sent } = await pipelineOf(
      { ...echo, beforeExecute: "m.addsMsg" },
      { ...echo, requestType: "later", beforeExecute: "m.changesConfig" },
    );
    request("echo");
    request("later", hi);
    request("later", hi);
    await settled();
    expect(sent.map(({ response }) => response.error_code ?? response.result)).toEqual([
      "added",
      "hook_rejected",
      "hook_rejected",
    ]);
  });

  test("runs before the permission check, and not for a function that does not exist", async () => {
    const beforeExecute = { module: "m", function: "refuse", args: ["first"] };
    const { request, sent } = await pipelineOf({ ...echo, beforeExecute, checkPermission: { role: ["admin"] } });
    request("echo", hi);
    request("nope", hi);
    expect(sent.map(({ response }) => response.error_code)).toEqual(["hook_rejected", "not_found"]);
  });

  test("whose client is gone meanwhile leads to nothing", async () => {
    const { request, sent, clock, onWorker } = await pipelineOf({
      ...echo,
      runOn: "worker",
      beforeExecute: "m.shoutLater",
    });
    const { calls } = request("echo", hi);
    calls.abortAll("disconnected");
    await settled();
    expect(onWorker).toEqual([]);
    expect(sent).toMatchObject([{ response: { error_code: "cancelled" } }]);
    expect(clock.pending).toBe(0);
  });
});

describe("an afterExecute hook", () => {
  const noted = (fields: object) => ({
    ...echo,
    afterExecute: { module: "m", function: "note", args: ["x"] },
    ...fields,
  });

  test("replaces the response of a success; the request id stays", async () => {
    const { request, sent } = await pipelineOf(noted({}));
    request("echo", hi);
    expect(sent).toEqual([
      {
        response: expect.objectContaining({
          request_id: "r1",
          success: true,
          result: { was: "hi", code: null, of: "echo", extra: "x" },
        }),
        reply: { status: "ok", response: "echo" },
      },
    ]);
  });

  test("returns its result as it is, whatever characters it has", async () => {
    const results = ["$& $1 $$ $` $'", { "$&": ["$`"] }, '"result":null'];
    for (const result of results) {
      const afterExecute = { module: "m", function: "answers", args: [result] };
      const { request, sent } = await pipelineOf({ ...echo, afterExecute });
      request("echo", hi);
      expect(sent).toMatchObject([{ response: { request_id: "r1", result } }]);
    }
  });

  test("sees failures and refusals too", async () => {
    const { request, sent } = await pipelineOf(
      noted({ requestType: "boom", argTypes: null }),
      noted({ checkPermission: { role: ["admin"] } }),
    );
    request("boom");
    request("echo", hi);
    expect(sent.map(({ response }) => (response.result as { code: string }).code)).toEqual([
      "internal",
      "permission_denied",
    ]);
  });

  test.each(["hijack", "unfinished", "tooBig", "wrongTypes"])("cannot break the Response (%s)", async (hook) => {
    const { request, sent } = await pipelineOf({ ...echo, afterExecute: `m.${hook}` });
    request("echo", hi);
    await settled();
    expect(sent.length).toBe(1);
    expect(Object.keys(sent[0]?.response ?? {})).toEqual(
      expect.arrayContaining(["request_id", "result", "success", "error", "async", "has_more", "can_retry"]),
    );
    expect(sent[0]?.response).toMatchObject({
      request_id: "r1",
      success: true,
      error: null,
      async: false,
      has_more: false,
    });
  });

  test("may make a failure of a success, and a success of a failure", async () => {
    const { request, sent } = await pipelineOf(
      { ...echo, afterExecute: "m.toFailure" },
      { ...echo, requestType: "boom", argTypes: null, afterExecute: "m.toSuccess" },
    );
    request("echo", hi);
    request("boom");
    expect(sent.map(({ response }) => response)).toEqual([
      expect.objectContaining({ success: false, error: "changed", error_code: "failed", reason: "why", result: null }),
      expect.not.objectContaining({ error_code: expect.anything() }),
    ]);
    expect(sent[1]).toMatchObject({ response: { success: true, result: "mended", error: null } });
  });

  test("decides what telemetry and statistics count; an exception that it mended is told all the same", async () => {
    const { request, counts } = await pipelineOf(
      { ...echo, afterExecute: "m.toFailure" },
      { ...echo, requestType: "boom", argTypes: null, afterExecute: "m.toSuccess" },
    );
    using events = recordEvents("executor.request.stop", "executor.request.exception");
    request("echo", hi);
    request("boom");
    expect(events.messages.map(({ event, metadata }) => [event, metadata])).toEqual([
      ["executor.request.stop", expect.objectContaining({ success: false, error_code: "failed" })],
      ["executor.request.exception", expect.objectContaining({ error: expect.any(Error) })],
      ["executor.request.stop", expect.objectContaining({ success: true, error_code: null })],
    ]);
    expect(counts.totals).toEqual({ succeeded: 1, failed: { failed: 1 } });
  });

  test("may take its time", async () => {
    const { request, sent, running } = await pipelineOf({ ...echo, afterExecute: "m.noteLater" });
    request("echo", hi);
    expect([sent.length, running.size]).toEqual([0, 1]);
    await settled();
    expect(sent).toMatchObject([{ response: { result: { was: "hi" } } }]);
    expect(running.size).toBe(0);
  });

  test.each(["refuse", "never", "silence", "noteCycle"])("that fails (%s) lets the response stand", async (hook) => {
    const { request, sent, clock } = await pipelineOf({ ...echo, afterExecute: `m.${hook}`, hookTimeout: 50 });
    request("echo", hi);
    await clock.advanceAsync(50);
    await settled();
    expect(sent).toMatchObject([{ response: { success: true, result: "hi" } }]);
    expect(clock.pending).toBe(0);
  });
});

describe("a permissionCallback", () => {
  const asked = (callback: string, fields: object = {}) => ({
    ...echo,
    permissionCallback: `m.${callback}`,
    ...fields,
  });

  test.each([
    ["allow", "ok"],
    ["allowLater", "ok"],
    ["truthy", "permission_denied"],
    ["silence", "permission_denied"],
    ["boom", "permission_denied"],
    ["reject", "permission_denied"],
    ["never", "permission_denied"],
  ])("%s: only `true` permits", async (callback, outcome) => {
    const { request, sent, clock } = await pipelineOf(asked(callback, { hookTimeout: 50 }));
    request("echo", hi);
    await clock.advanceAsync(50);
    await settled();
    expect(sent.map(({ response }) => response.error_code ?? "ok")).toEqual([outcome]);
    expect(clock.pending).toBe(0);
  });

  test.each([
    ["boom", ["executor.request.exception"]],
    ["never", ["executor.request.exception"]],
    ["truthy", []],
  ])("%s: telemetry is told of one that fails, not of one that says no", async (callback, told) => {
    const { request, sent, clock } = await pipelineOf(asked(callback, { hookTimeout: 50 }));
    using events = recordEvents("executor.request.exception");
    request("echo", hi);
    await clock.advanceAsync(50);
    await settled();
    expect(sent).toMatchObject([{ response: { error_code: "permission_denied" } }]);
    expect(events.messages.map(({ event }) => event)).toEqual(told);
  });

  test("is told when nobody waits for its answer any more", async () => {
    const { request, sent, onWorker, running } = await pipelineOf(asked("allow", { runOn: "worker" }));
    request("echo", hi).calls.cancel("r1")?.();
    expect(onWorker[0]?.cancelled).toBe("cancelled");
    expect(sent).toMatchObject([{ response: { error_code: "cancelled" } }]);
    onWorker[0]?.attempt.succeeded("true");
    expect([onWorker.length, sent.length, running.size]).toEqual([1, 1, 0]);
  });

  test.each(["cancelled", "disconnected"] as const)(
    "whose request was %s meanwhile is no fault, however it ends",
    async (reason) => {
      const { request, sent, onWorker, running } = await pipelineOf(asked("allow", { runOn: "worker" }));
      using events = recordEvents("executor.request.exception");
      const { calls } = request("echo", hi);
      if (reason === "cancelled") calls.cancel("r1")?.();
      else calls.abortAll(reason);
      onWorker[0]?.attempt.failed(unavailable);
      onWorker[0]?.attempt.failed(internal(new Error("late")));
      expect(sent).toMatchObject([{ response: { error_code: "cancelled" } }]);
      expect(events.messages).toEqual([]);
      expect(running.size).toBe(0);
    },
  );

  test("takes the place of checkPermission, and sees the request and its own arguments", async () => {
    const permissionCallback = { module: "m", function: "isOwner", args: ["u1"] };
    const { request, sent, caller } = await pipelineOf({
      ...echo,
      checkPermission: { role: ["admin"] },
      permissionCallback,
    });
    request("echo", hi);
    request("echo", hi, caller({ userId: "u2" }));
    request("echo", { args: { msg: "other" } });
    expect(sent.map(({ response }) => response.error_code ?? "ok")).toEqual([
      "ok",
      "permission_denied",
      "permission_denied",
    ]);
  });

  test("of a worker function runs on a worker", async () => {
    const { request, sent, onWorker } = await pipelineOf(asked("allow", { runOn: "worker" }));
    request("echo", hi);
    expect(onWorker.map(({ attempt }) => attempt.function)).toEqual(["allow"]);
    onWorker[0]?.attempt.succeeded("true");
    expect(onWorker.map(({ attempt }) => attempt.function)).toEqual(["allow", "echo"]);
    onWorker[1]?.attempt.succeeded('"hi"');
    expect(sent).toMatchObject([{ response: { result: "hi" } }]);
  });
});

describe("an async request", () => {
  const async = { ...echo, responseType: "async", runOn: "worker" } as const;

  test("is acknowledged, and answered by a push when its function ends", async () => {
    const { request, sent, onWorker } = await pipelineOf(async);
    request("echo", hi);
    expect(sent).toEqual([
      {
        response: {
          request_id: "r1",
          result: null,
          success: true,
          error: null,
          async: true,
          has_more: false,
          can_retry: false,
        },
        reply: { status: "ok", response: "echo" },
      },
    ]);
    onWorker[0]?.attempt.succeeded('"hi"');
    expect(sent[1]).toEqual({ response: expect.objectContaining({ result: "hi", async: false }), reply: null });
    expect(sent.length).toBe(2);
  });

  test("of a pool that is full gets one final Response and its reply, and no acknowledgement", async () => {
    const { request, sent, executors } = await pipelineOf(async);
    executors.worker = {
      run(attempt) {
        attempt.failed(unavailable, false);
        return { cancel: () => undefined };
      },
    };
    request("echo", hi);
    expect(sent).toMatchObject([{ response: { async: false, error_code: "unavailable" }, reply: { status: "ok" } }]);
    expect(sent.length).toBe(1);
  });

  test("that is refused gets one final Response and its reply, and no acknowledgement", async () => {
    const { request, sent } = await pipelineOf(async);
    request("echo", { args: { msg: 5 } });
    expect(sent).toMatchObject([
      { response: { async: false, error_code: "invalid_argument" }, reply: { status: "error" } },
    ]);
    expect(sent.length).toBe(1);
  });

  test("that fails, or is late, is told so by a push", async () => {
    const { request, sent, clock } = await pipelineOf(async);
    request("echo", hi);
    clock.advance(1_000);
    expect(sent[1]).toMatchObject({ response: { async: false, error_code: "timeout" }, reply: null });
  });
});

describe("a none request", () => {
  const none = { ...echo, responseType: "none", runOn: "worker" } as const;

  test("gets the reply alone, however its function ends", async () => {
    const { request, sent, replies, onWorker, clock, running } = await pipelineOf(none);
    for (let count = 0; count < 3; count++) request("echo", hi);
    expect(replies).toEqual(Array(3).fill({ status: "ok", response: "echo" }));
    onWorker[0]?.attempt.succeeded("1");
    onWorker[1]?.attempt.failed(unavailable);
    clock.advance(1_000);
    expect([sent, running.size]).toEqual([[], 0]);
  });

  test("that is refused gets one final Response and its reply", async () => {
    const { request, sent, replies } = await pipelineOf(none);
    request("echo", {});
    expect(sent).toMatchObject([{ response: { error_code: "invalid_argument" }, reply: { status: "error" } }]);
    expect(replies).toEqual([]);
  });

  test("goes on when its client is gone", async () => {
    const { request, onWorker, running } = await pipelineOf(none);
    request("echo", hi).calls.abortAll("disconnected");
    expect(onWorker).toMatchObject([{ cancelled: null }]);
    expect(running.size).toBe(1);
  });
});
