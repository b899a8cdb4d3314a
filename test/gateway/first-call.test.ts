import type { Gateway } from "gen-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

const connect = (params?: object) => connectClient(urlOf(gateway), { ...(params && { params }) });

describe("the official Phoenix client", () => {
  test("joins, calls a function on a worker thread, and gets its push and then its reply", async () => {
    await using client = await connect();
    const { response, reply, order } = await client.request("add", { a: 1, b: 2 });
    expect(response).toEqual({
      request_id: "r1",
      result: 3,
      success: true,
      error: null,
      async: false,
      has_more: false,
      can_retry: false,
    });
    expect(reply).toEqual({ status: "ok", response: "add" });
    expect(order).toEqual(["response", "reply"]);
    expect((await client.request("thread")).response.result).not.toBe(0);
    expect((await client.request("on_main", { msg: 1 })).response.result).toEqual({ msg: 1, threadId: 0 });
  });

  test("gets an error for a function that does not exist", async () => {
    await using client = await connect();
    expect(await client.request("nope")).toMatchObject({
      response: { success: false, error: "unsupported function: nope version latest", error_code: "not_found" },
      reply: { status: "ok", response: "nope" },
    });
  });

  test("gets what a function throws of its own, and nothing of what it throws by accident", async () => {
    await using client = await connect();
    expect((await client.request("fail")).response).toMatchObject({
      error: "Nothing left",
      error_code: "failed",
      reason: "sold_out",
      can_retry: true,
    });
    expect((await client.request("boom")).response).toMatchObject({
      error: "Internal Server Error",
      error_code: "internal",
    });
  });

  test("is known by what connect returned, never by what it writes into a request", async () => {
    await using client = await connect({ user_id: "alice" });
    const { response } = await client.request("whoami", {}, { user_id: "EVIL", user_roles: ["admin"] });
    expect(response.result).toMatchObject({
      userId: "alice",
      userIdVerified: true,
      userRoles: [],
      requestType: "whoami",
    });
    expect((await client.request("only_users")).response.result).toBe("alice");
    await using nobody = await connect();
    expect((await nobody.request("only_users")).response.error_code).toBe("permission_denied");
  });

  test("has two slow calls of one channel overlap: the shorter ends first, though it was sent second", async () => {
    await using client = await connect();
    const ended: number[] = [];
    const slow = async (ms: number) => {
      const { response } = await client.request("slow", { ms });
      ended.push(ms);
      return response.result;
    };
    expect(await Promise.all([slow(1_500), slow(100)])).toEqual(["slept 1500", "slept 100"]);
    expect(ended).toEqual([100, 1_500]);
  });

  test("is answered while another of its calls still waits", async () => {
    await using client = await connect();
    const waiting = client.request("wait_on_main");
    expect((await client.request("echo", { msg: "overtakes" })).response.result).toBe("overtakes");
    await client.request("release_on_main");
    expect((await waiting).response.result).toBe("released");
  });

  test("leaves the channel, and joins it again", async () => {
    await using client = await connect();
    await new Promise((resolve) => client.channel.leave().receive("ok", resolve));
    const again = client.socket.channel("api:lobby");
    await new Promise((resolve) => again.join().receive("ok", resolve));
    const answered = new Promise((resolve) => again.on("api", resolve));
    again.push("api", { service: "test", request_type: "add", request_id: "again", args: { a: 1, b: 1 } });
    expect(await answered).toMatchObject({ request_id: "again", result: 2 });
  });

  test("reconnects and rejoins by itself when its connection is closed", async () => {
    await using client = await connectClient(urlOf(gateway), { params: { user_id: "bob" } });
    const rejoined = new Promise<void>((resolve) => {
      client.socket.onOpen(() => resolve());
    });
    (client.socket as unknown as { conn: { terminate(): void } }).conn.terminate();
    await rejoined;
    expect((await client.request("echo", { msg: "back" })).response.result).toBe("back");
  });
});

test("a connection has at most maxRequestsInFlight requests running, over all its channels; others are not counted", async () => {
  await using small = await startTestGateway({ socket: { maxRequestsInFlight: 2 } });
  await using client = await connectClient(urlOf(small));
  await using other = await connectClient(urlOf(small));
  const waiting = [client.request("holds"), client.request("holds")];
  expect((await client.request("echo", { msg: 1 })).response).toMatchObject({
    error_code: "unavailable",
    can_retry: true,
  });
  expect((await other.request("echo", { msg: 1 })).response.result).toBe(1);
  for (const request_id of ["r1", "r2"]) client.channel.push("cancel", { request_id });
  expect((await Promise.all(waiting)).map(({ response }) => response.error_code)).toEqual(["cancelled", "cancelled"]);
  expect((await client.request("echo", { msg: 2 })).response.result).toBe(2);
});

describe("a function that ends badly", () => {
  test("an endless loop is a timeout, and the next call works", async () => {
    await using client = await connect();
    expect((await client.request("forever")).response).toMatchObject({
      success: false,
      error: "Request timed out after 200 ms",
      error_code: "timeout",
      can_retry: true,
    });
    expect((await client.request("echo", { msg: "alive" })).response.result).toBe("alive");
  });

  test("process.exit() is `unavailable`, and the next call works", async () => {
    await using client = await connect();
    expect((await client.request("exit")).response).toMatchObject({
      success: false,
      error: "Service temporarily unavailable",
      error_code: "unavailable",
      can_retry: true,
    });
    expect((await client.request("echo", { msg: "alive" })).response.result).toBe("alive");
  });
});

describe("the host program", () => {
  test("gets a function's result, or its failure as an error with the same code", async () => {
    expect(await gateway.call({ service: "test", requestType: "add", args: { a: 2, b: 3 } })).toBe(5);
    await expect(gateway.call({ service: "test", requestType: "fail" })).rejects.toMatchObject({
      name: "GenApiError",
      code: "failed",
      reason: "sold_out",
      message: "Nothing left",
      canRetry: true,
    });
    await expect(gateway.call({ service: "test", requestType: "add" })).rejects.toMatchObject({
      code: "invalid_argument",
    });
  });

  test("gets the Response as a client would", async () => {
    expect(await gateway.request({ service: "test", requestType: "only_users", requestId: "mine" })).toEqual({
      request_id: "mine",
      result: null,
      success: false,
      error: "Permission denied",
      async: false,
      has_more: false,
      can_retry: false,
      error_code: "permission_denied",
    });
    expect(await gateway.call({ service: "test", requestType: "only_users", userId: "root" })).toBe("root");
  });

  test("cancels by a signal, and bounds its own waiting", async () => {
    const controller = new AbortController();
    const cancelled = gateway.call({ service: "test", requestType: "wait_on_main" }, { signal: controller.signal });
    controller.abort();
    await expect(cancelled).rejects.toMatchObject({ code: "cancelled" });
    const late = gateway.call({ service: "test", requestType: "wait_on_main" }, { timeoutMs: 20 });
    await expect(late).rejects.toMatchObject({ code: "timeout", message: "Request timed out after 20 ms" });
  });

  test("takes the chunks of a stream one by one, and ends it by leaving the loop", async () => {
    const taken: unknown[] = [];
    for await (const chunk of gateway.stream({ service: "test", requestType: "count", args: { to: 5 } }))
      taken.push(chunk);
    expect(taken).toEqual([1, 2, 3, 4, 5]);
    for await (const chunk of gateway.stream<number>({ service: "test", requestType: "count", args: { to: 1e9 } })) {
      if (chunk === 1_000) break;
    }
    const denied = gateway.stream({ service: "test", requestType: "count", args: { to: "x" } });
    await expect(denied.next()).rejects.toMatchObject({ code: "invalid_argument" });
    const single = gateway.stream({ service: "test", requestType: "add", args: { a: 1, b: 2 } });
    expect([await single.next(), await single.next()]).toEqual([
      { done: false, value: 3 },
      { done: true, value: undefined },
    ]);
    const controller = new AbortController();
    const cancelled = gateway.stream(
      { service: "test", requestType: "count", args: { to: 1e9 } },
      { signal: controller.signal },
    );
    await cancelled.next();
    controller.abort();
    const rest = async () => {
      for await (const _ of cancelled);
    };
    await expect(rest()).rejects.toMatchObject({ code: "cancelled" });
  });
});
