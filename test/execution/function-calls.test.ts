import { describe, expect, test } from "vitest";
import type { NestedListener, NestedRequest } from "../../src/execution/call-carrier.ts";
import { FunctionCalls } from "../../src/execution/function-calls.ts";

/** A gateway's Response, as far as functions read it. */
const success = (result: unknown, isAsync = false) =>
  JSON.stringify({ success: true, result, error: null, async: isAsync, has_more: false, can_retry: false });

/** The calls of a function, and the gateway that hears them, which the test itself answers for. */
function open() {
  const heard: { request: NestedRequest; listener: NestedListener; cancelled: number; granted: number }[] = [];
  const calls = new FunctionCalls({
    carry(request, listener) {
      const entry = { request, listener, cancelled: 0, granted: 0 };
      heard.push(entry);
      return {
        cancel: () => void entry.cancelled++,
        grant: (chunks) => {
          entry.granted += chunks;
        },
      };
    },
  });
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => null,
      (error) => error.code,
    );
  const take = (to = 1) => calls.callStream("s", "ticks", { to }, undefined);
  return { calls, heard, codeOf, take };
}

describe("calls of a function", () => {
  test("go out as JSON, as a client would send them", async () => {
    const { calls, heard } = open();
    const at = new Date(0);
    const answer = calls.call("s", "f", { at, none: undefined }, { version: "1.0.0", timeoutMs: 5 });
    expect(heard[0]?.request).toEqual({
      service: "s",
      requestType: "f",
      args: '{"at":"1970-01-01T00:00:00.000Z"}',
      version: "1.0.0",
      timeoutMs: 5,
      isStream: false,
    });
    heard[0]?.listener.onResponse(success({ a: 1 }), true);
    expect(await answer).toEqual({ a: 1 });
  });

  test("of more than 16 at a time wait for these, in their order, and leave the row when they are cancelled", async () => {
    const { calls, heard, codeOf } = open();
    const controller = new AbortController();
    const first = Array.from({ length: 16 }, (_, n) => calls.call("s", `f${n}`, {}, {}));
    const cancelled = codeOf(calls.call("s", "f16", {}, { signal: controller.signal }));
    void calls.call("s", "f17", {}, {}).catch(() => undefined);
    expect(heard.length).toBe(16);
    controller.abort();
    expect(await cancelled).toBe("cancelled");
    heard[3]?.listener.onResponse(success(3), true);
    expect(await first[3]).toBe(3);
    expect(heard.map(({ request }) => request.requestType).at(-1)).toBe("f17");
    expect(heard.length).toBe(17);
    for (const rest of first) rest.catch(() => undefined);
    calls.end();
  });

  test("are cancelled by their signal, and leave nothing on it", async () => {
    const { calls, heard, codeOf } = open();
    const controller = new AbortController();
    const { signal } = controller;
    const during = codeOf(calls.call("s", "f", {}, { signal }));
    controller.abort();
    expect(await during).toBe("cancelled");
    expect(heard[0]?.cancelled).toBe(1);
    heard[0]?.listener.onResponse(success(1), true);
    expect(await codeOf(calls.call("s", "f", {}, { signal }))).toBe("cancelled");
    expect(heard.length).toBe(1);
  });

  test("end with their function, and nobody has to catch that", async () => {
    const { calls, heard, codeOf, take } = open();
    const dropped = calls.call("s", "f", {}, {});
    const stream = take();
    const chunk = codeOf(stream.next());
    calls.end();
    expect([await codeOf(dropped), await chunk]).toEqual(["cancelled", "cancelled"]);
    expect(heard.map(({ cancelled }) => cancelled)).toEqual([0, 1]);
    expect(await codeOf(calls.call("s", "f", {}, {}))).toBe("cancelled");
    expect(await codeOf(take().next())).toBe("cancelled");
    calls.call("s", "g", {}, {}).catch(() => undefined);
    expect(heard.length).toBe(2);
  });

  test("whose promise is dropped leave no unhandled rejection when their function is over", async () => {
    const { calls } = open();
    void calls.call("s", "f", {}, {});
    calls.end();
    // Vitest fails the run for an unhandled one.
    await new Promise((resolve) => setImmediate(resolve));
  });

  test.each([
    [["", "f", {}, {}], /service must be a non-empty string/],
    [["s", 5, {}, {}], /requestType must be a non-empty string, got 5/],
    [["s", "f", {}, { version: 1 }], /version must be a semantic version or null, got 1/],
    [["s", "f", {}, { timeoutMs: 0.5 }], /timeoutMs must be a number of milliseconds, at least 1, or null, got 0.5/],
    [["s", "f", {}, { signal: {} }], /signal must be an AbortSignal or null/],
    [["s", "f", { n: 1n }, {}], /args cannot be JSON: .*BigInt/],
    [["s", "f", () => 1, {}], /args must be a map or null/],
  ])("cannot be made of %o", async (given, message) => {
    const { calls, heard } = open();
    await expect(calls.call(...(given as [string, string, object, object]))).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(message),
    });
    expect(heard).toEqual([]);
  });

  test("made with promises that reject leave no unhandled rejection", async () => {
    const { calls } = open();
    const lost = (): never => Promise.reject(new Error("nobody awaited it")) as never;
    const given = [
      [lost(), "f", {}, {}],
      ["s", lost(), {}, {}],
      ["s", "f", { item: lost() }, {}],
      ["s", "f", { toJSON: lost }, {}],
      ["s", "f", {}, { timeoutMs: lost() }],
    ];
    for (const each of given)
      calls.call(...(each as unknown as [string, string, object, object])).catch(() => undefined);
    // Vitest fails the run for an unhandled one.
    await new Promise((resolve) => setImmediate(resolve));
    calls.end();
  });

  test("have nowhere to go without a gateway", async () => {
    const calls = new FunctionCalls({});
    await expect(calls.call("s", "f", {}, {})).rejects.toMatchObject({ code: "unavailable", canRetry: true });
    await expect(calls.callStream("s", "f", {}, {}).next()).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("streams that a function takes", () => {
  const chunk = (n: number) => success(n, true);

  test("are granted what was taken, when all of it was, and cancelled when they are left", async () => {
    const { heard, take } = open();
    const stream = take();
    const first = stream.next();
    for (const n of [1, 2, 3]) heard[0]?.listener.onResponse(chunk(n), false);
    expect(await first).toEqual({ done: false, value: 1 });
    expect(heard[0]?.granted).toBe(1);
    expect([(await stream.next()).value, heard[0]?.granted]).toEqual([2, 1]);
    expect([(await stream.next()).value, heard[0]?.granted]).toEqual([3, 3]);
    await stream.return();
    expect(heard[0]?.cancelled).toBe(1);
    heard[0]?.listener.onResponse(chunk(4), false);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("end with their last chunk, if it has one, and are not cancelled then", async () => {
    const { heard, take } = open();
    for (const [at, last, rest] of [
      [0, chunk(9), [9]],
      [1, success(null, true), []],
      [2, success(null), [null]],
    ] as const) {
      const stream = take();
      const taken: unknown[] = [];
      const reading = (async () => {
        for await (const value of stream) taken.push(value);
      })();
      heard[at]?.listener.onResponse(last, true);
      await reading;
      expect(taken).toEqual(rest);
      expect(heard[at]?.cancelled).toBe(0);
    }
  });

  test("are at most 16 at a time: one more is refused, since it might wait for ever", async () => {
    const { heard, take, codeOf } = open();
    const streams = Array.from({ length: 16 }, () => take());
    for (const stream of streams) void stream.next();
    expect(await codeOf(take().next())).toBe("unavailable");
    await streams[0]?.return();
    void take().next();
    expect(heard.length).toBe(17);
  });
});
