import { isGenApiError } from "gen-api";
import { connect, GenApiError } from "gen-api/client";
import { Socket } from "phoenix";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import service from "../fixtures/client/service.js";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { openClient, reaches, type TestClient } from "./open-client.ts";

type Gateway = Awaited<ReturnType<typeof startTestGateway>>;
let gateway: Gateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    functions: [service],
    channels: [
      { topic: "api:*", event: "api" },
      { topic: "rpc:*", event: "rpc", replyMode: "reply" },
    ],
  });
});
afterAll(() => gateway.stop());

// A Response is pushed before its reply, or is the reply: the client needs no word of which.
describe.each([
  ["push", { topic: "api:lobby", event: "api" }],
  ["reply", { topic: "rpc:lobby", event: "rpc" }],
] as const)("on a channel with replyMode %j", (_mode, options) => {
  let client: TestClient;
  beforeAll(() => {
    client = openClient(urlOf(gateway), options);
  });
  afterAll(() => client.close());

  test("a call made before the join is answered with its result", async () => {
    expect(await client.api.test.add({ a: 1, b: 2 })).toBe(3);
  });

  test("calls run side by side, and each gets its own result", async () => {
    const sums = Array.from({ length: 200 }, (_, n) => client.api.test.add({ a: n, b: 1 }));
    expect(await Promise.all(sums)).toEqual(sums.map((_, n) => n + 1));
  });

  test("an async function resolves with its result, not with its acknowledgement", async () => {
    expect(await client.api.test.later({ msg: { deep: [1] } })).toEqual({ deep: [1] });
  });

  test("one of type none resolves when it is acknowledged", async () => {
    expect(await client.api.test.noted({ msg: 1 })).toBeUndefined();
  });

  test("a stream gives its chunks in order, and ends", async () => {
    const chunks: unknown[] = [];
    for await (const chunk of client.api.test.count({ to: 100 })) chunks.push(chunk);
    expect(chunks).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
  });

  test("a date is sent as a text, and a call by name is the same", async () => {
    const at = new Date();
    expect(await client.call("test", "echo", { msg: at })).toBe(at.toISOString());
  });

  test("a function's failure is a GenApiError with its reason, which both sides recognise", async () => {
    const error = await client.api.test.fail().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(GenApiError);
    expect(error).toMatchObject({ code: "failed", reason: "sold_out", message: "Nothing left", canRetry: true });
    expect(error).toMatchObject({ name: "GenApiError", requestId: expect.stringMatching(/^\w+-\d+$/) });
    expect(isGenApiError(error)).toBe(true);
  });

  test.each([
    ["an argument of a wrong type", "add", { a: "1", b: 2 }, { code: "invalid_argument", canRetry: false }],
    ["no such function", "nope", {}, { code: "not_found", canRetry: false }],
    ["a crash", "boom", {}, { code: "internal", message: "Internal Server Error" }],
    ["one that takes too long", "never", {}, { code: "timeout", canRetry: true }],
    ["a request type that is none", "x".repeat(2_000), {}, { code: "invalid_request" }],
  ])("%s is a coded error", async (_what, requestType, args, expected) => {
    await expect(client.call("test", requestType, args)).rejects.toMatchObject(expected);
  });

  test.each([
    ["fails throws after its chunks", "half", {}, [1], { reason: "broken" }],
    ["is refused throws", "count", { to: "many" }, [], { code: "invalid_argument" }],
    ["sends a last result gives that too", "last", {}, ["first", "last"], null],
  ])("a stream that %s", async (_what, name, args, expected, failure) => {
    const chunks: unknown[] = [];
    const loop = async () => {
      for await (const chunk of client.call("test", name, args)) chunks.push(chunk);
      return null;
    };
    expect(await loop().catch((error) => error)).toEqual(failure && expect.objectContaining(failure));
    expect(chunks).toEqual(expected);
  });

  test("what JSON cannot hold fails at once, and later calls go on", async () => {
    await expect(client.call("test", "echo", { msg: 1n })).rejects.toMatchObject({ code: "invalid_argument" });
    expect(await client.api.test.add({ a: 2, b: 2 })).toBe(4);
  });

  test("an abort ends the function; a signal that has aborted before sends nothing", async () => {
    const controller = new AbortController();
    const call = client.api.test.wait({}, { signal: controller.signal });
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(1);
    controller.abort("enough");
    await expect(call).rejects.toMatchObject({ code: "cancelled", cause: "enough" });
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(0);
    await expect(client.api.test.never({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "cancelled",
      requestId: undefined,
    });
  });

  test("the caller's own time ends a call, and its function", async () => {
    await expect(client.api.test.wait({}, { timeoutMs: 50 })).rejects.toMatchObject({
      code: "timeout",
      canRetry: true,
    });
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(0);
  });

  test("the function is told when its caller stops waiting, which its own timeout does not hide", async () => {
    const before = Date.now();
    const deadline = await client.api.test.deadline({}, { timeoutMs: 3_000 });
    expect(deadline).toBeGreaterThan(before);
    expect(deadline).toBeLessThanOrEqual(Date.now() + 3_000);
  });

  test("leaving a loop stops the function; an abort throws into the loop", async () => {
    for await (const chunk of client.api.test.quiet()) {
      expect(chunk).toBe("hello");
      break;
    }
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(0);
    const controller = new AbortController();
    const loop = async () => {
      for await (const _ of client.api.test.quiet({}, { signal: controller.signal })) controller.abort();
    };
    await expect(loop()).rejects.toMatchObject({ code: "cancelled" });
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(0);
  });

  test("a stream that is awaited, and a result that is looped over, are told so", async () => {
    await expect(client.call("test", "count", { to: 3 })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("test.count is a stream"),
    });
    for (const [name, args] of [
      ["add", { a: 1, b: 2 }],
      ["later", { msg: 1 }],
      ["noted", { msg: 1 }],
    ] as const) {
      const loop = async () => {
        for await (const _ of client.call("test", name, args)) expect.unreachable();
      };
      await expect(loop()).rejects.toMatchObject({
        code: "invalid_request",
        message: `test.${name} is no stream: await its result`,
      });
    }
    const call = client.api.test.add({ a: 1, b: 1 });
    expect(await call).toBe(2);
    expect(() => (call as never as AsyncIterable<unknown>)[Symbol.asyncIterator]()).toThrow(/in the turn of the call/);
  });
});

test("the api's services and functions are the same objects each time, and are no promises", async () => {
  using client = openClient(urlOf(gateway));
  expect(client.api.test.add).toBe(client.api.test.add);
  expect(await client.api).toBe(client.api);
  expect(await client.api.test).toBe(client.api.test);
  expect(String(Object.prototype.toString.call(client.api))).toBe("[object Object]");
});

test("a failed call is sent again as often as it may, after what the gateway asked for", async () => {
  using client = openClient(urlOf(gateway), { retry: { attempts: 3 } });
  const failures = (code: "failed" | "internal") => gateway.diagnostics.statistics().requests.failed[code] ?? 0;
  const [failed, internal] = [failures("failed"), failures("internal")];
  await expect(client.api.test.fail()).rejects.toMatchObject({ reason: "sold_out" });
  expect(failures("failed") - failed).toBe(3);
  // A failure that may not be repeated is not.
  await expect(client.api.test.boom()).rejects.toMatchObject({ code: "internal" });
  expect(failures("internal") - internal).toBe(1);
  // The call's own word comes first.
  await expect(client.api.test.fail({}, { retry: { attempts: 1 } })).rejects.toMatchObject({ reason: "sold_out" });
  expect(failures("failed") - failed).toBe(4);
});

test("two clients share a socket of the official client, and leave it open", async () => {
  const socket = new Socket(urlOf(gateway), { transport: WebSocket as never, params: { user_id: "2" } });
  try {
    const one = connect<[typeof service]>(socket, { topic: "api:one" });
    const other = connect<[typeof service]>(socket, { topic: "api:other" });
    const calls = [one.api.test.add({ a: 1, b: 1 }), other.api.test.add({ a: 2, b: 2 }), one.api.test.only_users()];
    expect(await Promise.all(calls)).toEqual([2, 4, "2"]);
    one.close();
    expect(one.status).toBe("closed");
    expect(await other.api.test.add({ a: 3, b: 3 })).toBe(6);
    expect(socket.isConnected()).toBe(true);
    other.close();
  } finally {
    socket.disconnect();
  }
});

test("the status is told, with the reason; a listener that is removed is told nothing", async () => {
  using client = openClient(urlOf(gateway));
  expect(client.status).toBe("connecting");
  const told: unknown[] = [];
  client.onStatus((status, error) => told.push([status, error?.reason]));
  client.onStatus(() => told.push("never"))();
  await reaches(client, "open");
  client.close();
  expect(client.status).toBe("closed");
  await expect
    .poll(() => told)
    .toEqual([
      ["open", undefined],
      ["closed", "closed"],
    ]);
  await expect(client.api.test.add({ a: 1, b: 1 })).rejects.toMatchObject({
    code: "disconnected",
    reason: "closed",
    canRetry: false,
  });
});

test.each(["http://x/socket", "socket", ""])("an address that is none is refused at once: %j", (url) => {
  expect(() => connect(url, { transport: WebSocket })).toThrow(expect.objectContaining({ code: "invalid_option" }));
});
