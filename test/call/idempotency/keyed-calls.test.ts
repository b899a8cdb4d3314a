import { describe, expect, test } from "vitest";
import type { Caller } from "../../../src/call/request/caller.ts";
import { unavailable } from "../../../src/call/request/failure.ts";
import { InFlight, RunningCalls } from "../../../src/call/request/running-calls.ts";
import { GenApiError } from "../../../src/core/errors.ts";
import { SharedBudget } from "../../../src/core/fair/shared-budget.ts";
import { idempotencyOptions, pipelineOf } from "../../support/pipeline.ts";
import { recordEvents } from "../../support/record-events.ts";

const onWorker = { requestType: "echo", runOn: "worker", argTypes: { msg: "any" }, timeout: "infinity" } as const;

type Config = Parameters<typeof pipelineOf>[0];

/** A pipeline whose requests have the key "k" and the ids r1, r2 and so on. */
async function opened(config: Config = {}, ...others: Config[]) {
  const parts = await pipelineOf({ ...onWorker, ...config }, ...others);
  let count = 0;
  const ask = (more: object = {}, identity: Partial<Caller> = {}) => {
    const by = parts.caller(identity);
    const named = { request_id: `r${++count}`, args: { msg: 1 }, idempotency_key: "k" };
    parts.request("echo", { ...named, ...more }, by);
    return by;
  };
  /** The Responses of a request. */
  const of = (id: string) => parts.sent.map(({ response }) => response).filter(({ request_id }) => request_id === id);
  return { ...parts, ask, of };
}

describe("requests with the same key are one call:", () => {
  test("one that comes while it runs gets the same Response, under its own id", async () => {
    const { ask, of, onWorker: attempts, sent, running } = await opened();
    ask();
    ask();
    expect([attempts.length, sent.length, running.size]).toEqual([1, 0, 2]);
    attempts[0]?.attempt.succeeded('{"n":1}');
    const { request_id: _, ...first } = of("r1")[0] as Record<string, unknown>;
    expect(first).toEqual({
      result: { n: 1 },
      success: true,
      error: null,
      async: false,
      has_more: false,
      can_retry: false,
    });
    expect(of("r2")).toEqual([{ request_id: "r2", ...first }]);
    expect(sent.map(({ reply }) => reply)).toEqual([
      { status: "ok", response: "echo" },
      { status: "ok", response: "echo" },
    ]);
    expect(running.size).toBe(0);
  });

  test("one that comes later gets what was kept, marked as replayed, for keepMs", async () => {
    const { ask, of, onWorker: attempts, clock } = await opened();
    ask();
    attempts[0]?.attempt.failed(new GenApiError("sold_out", "Nothing left", { canRetry: true }));
    clock.advance(299_999);
    ask();
    const { request_id: _, ...first } = of("r1")[0] as Record<string, unknown>;
    expect(first).toMatchObject({ error_code: "failed", reason: "sold_out", can_retry: true });
    expect(of("r2")).toEqual([{ request_id: "r2", ...first, replayed: true }]);
    clock.advance(1);
    ask();
    expect(attempts.length).toBe(2);
  });

  test("an async one is acknowledged at once, whether its call runs or has ended", async () => {
    const { ask, of, onWorker: attempts } = await opened({ responseType: "async" });
    ask();
    ask();
    expect([of("r1"), of("r2")]).toMatchObject([[{ async: true, result: null }], [{ async: true, result: null }]]);
    attempts[0]?.attempt.succeeded("5");
    ask();
    expect([of("r1").length, of("r2")[1], of("r3")]).toMatchObject([
      2,
      { result: 5, async: false },
      [{ async: true }, { result: 5, async: false, replayed: true }],
    ]);
    expect(attempts.length).toBe(1);
  });

  test("one of type none is accepted each time, and called once", async () => {
    const { ask, sent, replies, onWorker: attempts } = await opened({ responseType: "none" });
    ask();
    ask();
    attempts[0]?.attempt.succeeded("null");
    ask();
    expect([attempts.length, sent, replies.length]).toEqual([1, [], 3]);
  });

  test("a function on the main thread that returns at once is called once too", async () => {
    const { ask, of } = await opened({ runOn: "main", responseType: "async" });
    ask();
    ask();
    expect([of("r1").length, of("r2").at(-1)]).toMatchObject([2, { result: 1, replayed: true }]);
  });

  test("other users, other functions and other anonymous connections have calls of their own", async () => {
    const { ask, request, onWorker: attempts, caller } = await opened({}, { ...onWorker, requestType: "later" });
    ask();
    ask({}, { userId: "u2" });
    request("later", { args: { msg: 1 }, idempotency_key: "k" }, caller());
    const anonymous = (connection: string) => ask({}, { userId: null, share: { identity: "network n", connection } });
    anonymous("c1");
    anonymous("c2");
    expect(attempts.length).toBe(5);
    anonymous("c1");
    ask({}, { share: { identity: "user u1", connection: "another" } });
    expect(attempts.length).toBe(5);
  });

  test("one with other arguments or another version is an invalid request", async () => {
    const { ask, of, onWorker: attempts } = await opened({ version: "1.0.0" });
    ask({ args: { msg: { a: 1, b: [2] } } });
    ask({ args: { msg: { b: [2], a: 1 } } });
    ask({ args: { msg: { a: 1, b: [3] } } });
    ask({ args: { msg: { a: 1, b: [2] } }, version: "1.0.0" });
    expect([of("r2"), of("r3")[0]?.error, of("r4")[0]?.error]).toEqual([
      [],
      "Invalid request: idempotency_key was used with other arguments",
      "Invalid request: idempotency_key was used with another version",
    ]);
    expect(attempts.length).toBe(1);
  });
});

describe("what was refused before its function was called is not kept:", () => {
  test("the next request tries again, and so does one that waited meanwhile", async () => {
    const { ask, of, onWorker: attempts } = await opened();
    ask();
    ask();
    attempts[0]?.attempt.failed(unavailable, false);
    // Both were told, because both had been accepted.
    expect([of("r1"), of("r2")]).toMatchObject([[{ error_code: "unavailable" }], [{ error_code: "unavailable" }]]);
    ask();
    expect(attempts.length).toBe(2);
  });

  test("of two that wait for a callback, the second is executed when the first is gone, and counted by the limits", async () => {
    const {
      ask,
      of,
      rateLimiter,
      onWorker: attempts,
    } = await opened({
      permissionCallback: { module: "m", function: "allow" },
    });
    rateLimiter.updateConfig({ globalLimits: [{ key: "userId", maxRequests: 3, windowMs: 60_000 }] });
    const first = ask();
    ask();
    const allow = () => attempts.at(-1)?.attempt.succeeded("true");
    allow();
    first.calls.abortAll("disconnected");
    allow();
    expect(attempts.map(({ attempt }) => attempt.function)).toEqual(["allow", "allow", "allow", "echo"]);
    attempts[3]?.attempt.succeeded("7");
    expect(of("r2")).toMatchObject([{ result: 7 }]);
    expect(rateLimiter.status("u1", "global", "userId")).toMatchObject([{ remaining: 1 }]);
  });

  test("wrong arguments, no permission and a limit that is reached leave the key free", async () => {
    const { ask, of, onWorker: attempts, rateLimiter, clock } = await opened({ checkPermission: { role: ["user"] } });
    rateLimiter.updateConfig({ globalLimits: [{ key: "userId", maxRequests: 2, windowMs: 60_000 }] });
    ask({ args: { other: 1 } });
    ask({}, { userRoles: [] });
    ask();
    expect([of("r1")[0]?.error_code, of("r2")[0]?.error_code, of("r3")]).toEqual([
      "invalid_argument",
      "permission_denied",
      [],
    ]);
    attempts[0]?.attempt.succeeded("1");
    ask({ idempotency_key: "other" });
    expect(of("r4")[0]?.error_code).toBe("rate_limited");
    // A repeat is not counted, but needs permission.
    ask();
    ask({}, { userRoles: [] });
    expect([of("r5")[0]?.replayed, of("r6")[0]?.error_code]).toEqual([true, "permission_denied"]);
    clock.advance(60_001);
    ask({ idempotency_key: "other" });
    expect(attempts.length).toBe(2);
  });
});

describe("a call whose client is gone", () => {
  test("goes on for orphanMs, and its Response is kept", async () => {
    const { ask, of, onWorker: attempts, clock, running } = await opened();
    const by = ask();
    by.calls.detachAll();
    expect([by.calls.size, running.size]).toEqual([0, 1]);
    clock.advance(29_999);
    expect(attempts[0]?.cancelled).toBeNull();
    attempts[0]?.attempt.succeeded("1");
    ask();
    expect(of("r2")).toMatchObject([{ result: 1, replayed: true }]);
    expect(running.size).toBe(0);
  });

  test("counts with its connection, and its arguments with all connections, until it ends", async () => {
    const { ask, of, onWorker: attempts } = await opened();
    const budget = new SharedBudget(10_000);
    const inFlight = new InFlight(2, 2, 10_000, budget);
    const on = () => ({ calls: new RunningCalls(inFlight) });
    ask({ idempotency_key: "a" }, on()).calls.detachAll();
    ask({ idempotency_key: "b" }, on()).calls.detachAll();
    expect(inFlight.count).toBe(2);
    expect(budget.used).toBeGreaterThan(0);
    ask({ idempotency_key: "c" }, on());
    expect(of("r3")).toMatchObject([{ error_code: "unavailable" }]);
    for (const { attempt } of attempts) attempt.succeeded("1");
    expect([inFlight.count, inFlight.held, budget.used]).toEqual([0, 0, 0]);
  });

  test("is cancelled after orphanMs, unless another request waits for it", async () => {
    const { ask, of, onWorker: attempts, clock } = await opened();
    ask().calls.detachAll();
    clock.advance(20_000);
    const second = ask();
    clock.advance(100_000);
    expect(attempts[0]?.cancelled).toBeNull();
    second.calls.abortAll("disconnected");
    clock.advance(29_999);
    expect(attempts[0]?.cancelled).toBeNull();
    clock.advance(1);
    expect(attempts[0]?.cancelled).toBe("disconnected");
    ask();
    expect(of("r3")).toMatchObject([{ error_code: "cancelled", replayed: true }]);
  });

  test("and that waits for another client's goes alone", async () => {
    const { ask, of, onWorker: attempts } = await opened();
    ask();
    ask().calls.detachAll();
    attempts[0]?.attempt.succeeded("1");
    expect([of("r1").length, attempts[0]?.cancelled]).toEqual([1, null]);
  });

  test("cancelled by any of its clients is cancelled for all", async () => {
    const { ask, of, onWorker: attempts } = await opened();
    ask();
    ask().calls.cancel("r2")?.();
    expect(attempts[0]?.cancelled).toBe("cancelled");
    expect([of("r1"), of("r2")]).toMatchObject([[{ error_code: "cancelled" }], [{ error_code: "cancelled" }]]);
  });
});

describe("of what is kept", () => {
  test("the oldest is dropped beyond maxEntries and maxBytes", async () => {
    using evictions = recordEvents("idempotency.evict");
    idempotencyOptions.maxEntries = 3;
    const { ask, of, onWorker: attempts, keyedCalls } = await opened();
    for (const key of ["a", "b", "c", "d"]) {
      ask({ idempotency_key: key });
      attempts.at(-1)?.attempt.succeeded("1");
    }
    expect([keyedCalls.size, evictions.messages.length]).toEqual([3, 1]);
    ask({ idempotency_key: "b" });
    ask({ idempotency_key: "a" });
    expect([of("r5")[0]?.replayed, of("r6")]).toEqual([true, []]);
    Object.assign(idempotencyOptions, { maxEntries: 100, maxBytes: 5_000 });
    const small = await opened();
    for (const key of ["a", "b", "c", "d", "e"]) {
      small.ask({ idempotency_key: key });
      small.onWorker.at(-1)?.attempt.succeeded(JSON.stringify("x".repeat(900)));
      expect(small.keyedCalls.bytes).toBeLessThanOrEqual(5_000);
    }
    expect(small.keyedCalls.size).toBe(3);
  });

  test("nothing takes memory any more when keepMs have passed, though nobody asks", async () => {
    const { ask, onWorker: attempts, keyedCalls, clock } = await opened();
    ask();
    attempts[0]?.attempt.succeeded("1");
    expect(keyedCalls.bytes).toBeGreaterThan(0);
    clock.advance(300_000);
    expect([keyedCalls.size, keyedCalls.bytes, clock.pending]).toEqual([0, 0, 0]);
  });

  test("a Response of more than 1 MiB is only remembered", async () => {
    const { ask, of, onWorker: attempts, keyedCalls } = await opened({ responseType: "async" });
    ask();
    ask();
    attempts[0]?.attempt.succeeded(JSON.stringify("x".repeat(1024 * 1024)));
    ask();
    expect(of("r2")[1]?.success).toBe(true);
    expect(of("r3")[1]).toMatchObject({ error_code: "failed", reason: "replay_unavailable", can_retry: false });
    expect([attempts.length, keyedCalls.bytes < 10_000]).toEqual([1, true]);
  });
});

describe("a stream with a key", () => {
  const stream = { requestType: "echo", responseType: "stream", runOn: "worker", argTypes: { msg: "any" } } as const;

  test("must outlive its socket", async () => {
    const { ask, of } = await opened(stream);
    ask();
    expect(of("r1")).toMatchObject([
      { error: "Invalid request: a stream with an idempotency_key requires resume", error_code: "invalid_request" },
    ]);
  });

  test("moves to a repeated request, under its id, with all that was not acknowledged", async () => {
    const { ask, of, streams, running } = await opened(stream);
    const resumable = { window: 8, resume: true };
    const first = ask(resumable);
    for (const chunk of ["1", "2", "3"]) streams[0]?.stream.chunk(chunk);
    first.calls.acknowledge("r1", 1);
    first.calls.detachAll();
    const second = ask(resumable);
    expect(of("r2").map(({ result, seq }) => [result, seq])).toEqual([
      ["init", undefined],
      [2, 2],
      [3, 3],
    ]);
    expect(of("r2")[0]?.resume_token).toBe(of("r1")[0]?.resume_token);
    expect([streams.length, running.size, second.calls.size]).toEqual([1, 1, 1]);
    streams[0]?.stream.chunk("4");
    expect(second.calls.acknowledge("r2", 4)).toBeNull();
    streams[0]?.stream.failed(new GenApiError("sold_out", "Nothing left"), true);
    expect(of("r2").slice(3)).toMatchObject([
      { result: 4, seq: 4 },
      { seq: 5, reason: "sold_out" },
    ]);
    expect(of("r1").length).toBe(4);
    // Its end was not acknowledged.
    const third = ask(resumable);
    expect(of("r3").map(({ seq }) => seq)).toEqual([undefined, 5]);
    expect(third.calls.acknowledge("r3", 5)).toBeNull();
    ask(resumable);
    expect(of("r4")).toMatchObject([{ error_code: "failed", reason: "replay_unavailable" }]);
    expect(streams.length).toBe(1);
  });

  test("repeated before it has begun begins on the channel of the last request", async () => {
    const parts = await opened(stream);
    const { ask, of, streams, streamStart } = parts;
    const starts: (() => void)[] = [];
    streamStart.start = (started) => starts.push(() => started.start(() => undefined));
    ask({ window: 8, resume: true });
    ask({ window: 8, resume: true });
    for (const start of starts) start();
    streams[0]?.stream.chunk("1");
    expect([of("r1").length, of("r2").map(({ result }) => result)]).toEqual([1, ["init", 1]]);
  });

  test("cannot move to a channel with another stream of that id, or with too many", async () => {
    const { ask, of, request, caller, streams, sent } = await opened(stream, { ...stream, requestType: "later" });
    ask({ window: 8, resume: true });
    const by = request("later", { request_id: "x", args: { msg: 1 } }, caller());
    request("echo", { request_id: "x", args: { msg: 1 }, idempotency_key: "k", window: 8, resume: true }, by);
    expect(sent.at(-1)?.response).toMatchObject({ request_id: "unknown", error_code: "invalid_request" });
    const inFlight = { isFullOfStreams: true, boundFor: () => null, add: () => undefined, delete: () => undefined };
    ask({ window: 8, resume: true }, { calls: new RunningCalls(inFlight as never) });
    expect(of("r2")).toMatchObject([{ error_code: "unavailable" }]);
    expect(streams.length).toBe(2);
  });
});
