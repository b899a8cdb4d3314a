import { describe, expect, test } from "vitest";
import { pipelineOf } from "../support/pipeline.ts";
import { settled } from "../support/simulated-clock.ts";

const ok = { request_id: "r1", success: true, error: null, async: false, has_more: false, can_retry: false };

describe("a sync request", () => {
  test("is answered at once when its function on the main thread returns", async () => {
    const { request, sent } = await pipelineOf({ requestType: "echo", argTypes: { msg: "string" } });
    request("echo", { args: { msg: "hi" } });
    expect(sent).toEqual([{ response: { ...ok, result: "hi" }, reply: { status: "ok", response: "echo" } }]);
  });

  test("is answered when the promise of its function settles", async () => {
    const { request, sent } = await pipelineOf({ requestType: "later", argTypes: { msg: "string" } });
    request("later", { args: { msg: "hi" } });
    expect(sent).toEqual([]);
    await settled();
    expect(sent).toMatchObject([{ response: { result: "hi" } }]);
  });

  test("gets one timeout Response when the worker is late; what it answers then is dropped", async () => {
    const { request, sent, clock, onWorker } = await pipelineOf({ requestType: "echo", runOn: "worker" });
    const { calls } = request("echo");
    clock.advance(999);
    expect(sent).toEqual([]);
    clock.advance(1);
    expect(sent).toMatchObject([
      {
        response: { success: false, error: "Request timed out after 1000 ms", error_code: "timeout", can_retry: true },
      },
    ]);
    expect(onWorker).toMatchObject([{ cancelled: "timeout" }]);
    onWorker[0]?.attempt.succeeded('"late"');
    expect(sent.length).toBe(1);
    expect([calls.size, clock.pending]).toEqual([0, 0]);
  });

  test("with an infinite timeout waits for as long as it takes", async () => {
    const { request, sent, clock, onWorker } = await pipelineOf({
      requestType: "echo",
      runOn: "worker",
      timeout: "infinity",
    });
    request("echo");
    clock.advance(10_000_000);
    expect(sent).toEqual([]);
    onWorker[0]?.attempt.succeeded("1");
    expect(sent).toMatchObject([{ response: { result: 1 } }]);
  });

  test("is cancelled by its request id, and by the end of its caller", async () => {
    const { request, sent, onWorker } = await pipelineOf({ requestType: "echo", runOn: "worker" });
    const { calls } = request("echo");
    expect(calls.cancel("other")).toBeNull();
    calls.cancel("r1")?.();
    expect(sent).toMatchObject([
      { response: { error: "Request cancelled", error_code: "cancelled", can_retry: true } },
    ]);
    expect(calls.cancel("r1")).toBeNull();
    const other = request("echo");
    other.calls.abortAll("disconnected");
    expect(onWorker.map(({ cancelled }) => cancelled)).toEqual(["cancelled", "disconnected"]);
    expect(other.calls.size).toBe(0);
  });
});

describe("what a function does wrong is answered, and nothing more happens:", () => {
  const failing = (requestType: string) => pipelineOf({ requestType });

  test.each([
    ["fail", { error: "Nothing left", error_code: "failed", reason: "sold_out", can_retry: true }],
    ["boom", { error: "Internal Server Error", error_code: "internal", can_retry: false }],
    ["reject", { error: "Internal Server Error", error_code: "internal" }],
    ["cycle", { error: "Internal Server Error", error_code: "internal" }],
    ["bigint", { error: "Internal Server Error", error_code: "internal" }],
    ["huge", { error: "Internal Server Error", error_code: "internal" }],
    ["throwingThen", { error: "Internal Server Error", error_code: "internal" }],
    ["thenTwice", { success: true, result: 1 }],
    ["oddError", { error: "5", error_code: "failed", reason: "7", can_retry: false }],
    ["brandAlone", { error_code: "failed", can_retry: false }],
    ["unreadable", { error: "Internal Server Error", error_code: "internal" }],
    ["throwsNothing", { error: "Internal Server Error", error_code: "internal" }],
  ])("%s", async (requestType, response) => {
    const { request, sent } = await failing(requestType);
    request(requestType);
    await settled();
    expect(sent).toMatchObject([{ response, reply: { status: "ok", response: requestType } }]);
    expect(sent.length).toBe(1);
  });

  test.each([
    ["nothing", null],
    ["date", "2026-01-01T00:00:00.000Z"],
    ["methods", { a: 1 }],
  ])("the result of %s follows JSON's rules", async (requestType, result) => {
    const { request, sent } = await failing(requestType);
    request(requestType);
    expect(sent).toMatchObject([{ response: { success: true, result } }]);
  });
});

describe("a request is refused", () => {
  test("for an unknown function, version and a disabled one", async () => {
    const { request, sent } = await pipelineOf(
      { requestType: "echo", version: "1.0.0" },
      { requestType: "echo", version: "2.0.0", disabled: true },
    );
    request("nope");
    request("echo", { version: "9.9.9" });
    request("echo", { version: "2.0.0" });
    request("echo", { version: "one" });
    expect(sent.map(({ response }) => [response.error_code, response.error])).toEqual([
      ["not_found", "unsupported function: nope version latest"],
      ["not_found", "unsupported function: echo version 9.9.9"],
      ["disabled", "disabled function: echo version 2.0.0"],
      ["invalid_request", 'Invalid request: version must be a semantic version or null, got "one"'],
    ]);
  });

  test("without permission, decided from the connection alone", async () => {
    const { request, sent, caller } = await pipelineOf({ requestType: "echo", checkPermission: "any_authenticated" });
    request("echo", { user_id: "somebody" }, caller({ userId: null }));
    request("echo", {}, caller());
    expect(sent.map(({ response }) => response.error_code ?? "ok")).toEqual(["permission_denied", "ok"]);
    expect(sent[0]).toMatchObject({ response: { error: "Permission denied" }, reply: { status: "ok" } });
  });

  test("by the arguments, read as the function takes them: of a map what is one level below counts too", async () => {
    const own = { checkPermission: { arg: "user_id" }, argTypes: { filter: "map", user_id: "string" } } as const;
    const { request, sent } = await pipelineOf(
      { ...own, requestType: "echo", argOrders: "map" },
      { ...own, requestType: "all", argOrders: ["user_id", "filter"] },
    );
    const somebody = { user_id: "somebody" };
    request("echo", { args: { user_id: "u1", filter: {} } });
    request("echo", { args: { user_id: "u1", filter: somebody } });
    request("all", { args: { user_id: "u1", filter: somebody } });
    request("all", { args: { ...somebody, filter: {} } });
    expect(sent.map(({ response }) => response.error_code ?? "ok")).toEqual([
      "ok",
      "permission_denied",
      "ok",
      "permission_denied",
    ]);
  });

  test("by a channel that wants a verified user id", async () => {
    const { request, sent, caller } = await pipelineOf({ requestType: "echo" });
    const nobody = caller({ userId: null, requireVerifiedUserId: true });
    request("echo", {}, nobody);
    // What else is wrong with the payload is not looked at.
    request("echo", { request_id: undefined }, nobody);
    // Nor does it matter whom it claims to come from.
    request("echo", { user_id: "u1" }, nobody);
    const refused = {
      response: { error: "Authentication required", error_code: "unauthenticated" },
      reply: { status: "error", response: "Authentication required" },
    };
    expect(sent).toMatchObject([refused, refused, refused]);
    expect(sent[1]?.response.request_id).toBe("unknown");
  });

  test("for wrong arguments, which the reply tells too", async () => {
    const { request, sent } = await pipelineOf({ requestType: "echo", argTypes: { msg: "string" } });
    request("echo", { args: { msg: 5 } });
    expect(sent).toMatchObject([
      { response: { error_code: "invalid_argument" }, reply: { status: "error", response: sent[0]?.response.error } },
    ]);
    expect(sent[0]?.response.error).toMatch(/"msg".*string.*num/);
  });

  test("for a payload that is too big, under an unknown id when it was not parsed", async () => {
    const { pipeline, sent, caller, replyTo } = await pipelineOf();
    pipeline.handle(undefined, 1_001, caller(), replyTo, 0);
    const problem = "Request payload exceeds maximum size of 1000 bytes (got 1001 bytes)";
    expect(sent).toMatchObject([
      {
        response: { request_id: "unknown", error: `Invalid request: ${problem}`, error_code: "invalid_request" },
        reply: { status: "error", response: problem },
      },
    ]);
  });

  test("while the gateway drains, but what runs goes on", async () => {
    const { pipeline, request, sent, onWorker } = await pipelineOf({ requestType: "echo", runOn: "worker" });
    request("echo");
    pipeline.drain();
    request("echo");
    expect(sent).toMatchObject([{ response: { error_code: "unavailable", can_retry: true } }]);
    onWorker[0]?.attempt.succeeded("1");
    expect(sent[1]).toMatchObject({ response: { success: true } });
  });
});

test("the arguments of a FunConfig's mfa come before the request's", async () => {
  const mfa = { module: "m", function: "all", args: ["first", { second: 2 }] };
  const { request, sent } = await pipelineOf({ requestType: "all", mfa, argTypes: { a: "num" }, requestInfo: true });
  request("all", { args: { a: 3 } });
  expect(sent).toMatchObject([{ response: { result: ["first", { second: 2 }, 3, { requestId: "r1" }] } }]);
});

describe("a function that asks for its RequestInfo gets as last argument", () => {
  const config = { requestType: "info", argTypes: { msg: "string" }, requestInfo: true, version: "1.2.0" } as const;
  const claim = { args: { msg: "m" }, user_id: "EVIL", device_id: "EVIL", user_roles: ["admin"] };

  test("the connection's identity, whatever the payload claims", async () => {
    const { request, sent } = await pipelineOf(config);
    request("info", claim);
    expect(sent[0]?.response.result).toEqual({
      msg: "m",
      requestId: "r1",
      requestType: "info",
      service: "s",
      version: "1.2.0",
      userId: "u1",
      userIdVerified: true,
      deviceId: "d1",
      userRoles: ["user"],
      topic: "api:1",
      ipAddress: null,
      claims: {},
      // Its clock begins in 2026.
      deadline: Date.UTC(2026, 0, 1) + 1_000,
      trace: null,
      aborted: false,
    });
  });

  test("the payload's ids, marked unverified, where the channel allows it; roles never", async () => {
    const { request, sent, caller } = await pipelineOf(config);
    request("info", claim, caller({ overrideUserId: false }));
    request("info", { args: { msg: "m" } }, caller({ overrideUserId: false }));
    expect(sent.map(({ response }) => response.result)).toMatchObject([
      { userId: "EVIL", userIdVerified: false, deviceId: "EVIL", userRoles: ["user"] },
      { userId: "u1", userIdVerified: true, deviceId: "d1" },
    ]);
  });

  test("a signal that aborts when the call is given up", async () => {
    const { request, sent, clock } = await pipelineOf({ ...config, requestType: "untilAborted", argTypes: null });
    request("untilAborted");
    clock.advance(1_000);
    await settled();
    expect(sent).toMatchObject([{ response: { error_code: "timeout" } }]);
    expect((globalThis as { lastAbort?: string }).lastAbort).toBe("The call's timeout has passed");
  });
});
