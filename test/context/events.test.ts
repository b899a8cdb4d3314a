import { describe, expect, test } from "vitest";
import service from "../fixtures/context.js";
import { keep, startGateway } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { recordEvents } from "../support/record-events.ts";

const functions = [service];
const connect = () => ({ userId: "u1", claims: { tenant: "t1" } });
const to = (requestType: string) => ({ service: "context", requestType });
const events = {
  whoami: to("on_main"),
  mine: to("of_tenant"),
  later: to("later"),
  nested: to("nested"),
  cast: to("cast"),
  refuse: to("refuse"),
  ticks: to("ticks"),
  missing: to("no_such_function"),
};

async function joined(options: Parameters<typeof startGateway>[0] = {}) {
  const gateway = await startGateway({
    socket: { connect },
    channels: [{ topic: "api:*", event: "api", events }],
    functions,
    ...options,
  });
  const { channel, socket, request } = keep(await connectClient(urlOf(gateway), { service: "context" }));
  const frames: unknown[][] = [];
  socket.onMessage((message) => {
    const { event, payload } = message as { event: string; payload: unknown };
    frames.push([event, payload]);
  });
  const push = (event: string, payload: object = {}) =>
    new Promise<unknown>((resolve, reject) => {
      channel
        .push(event, payload)
        .receive("ok", (ok: unknown) => resolve({ ok }))
        .receive("error", (error: unknown) => resolve({ error }))
        .receive("timeout", () => reject(new Error(`no reply to ${event}`)));
    });
  return { gateway, channel, socket, request, frames, push };
}

describe("an event that is mapped to a function", () => {
  test("is answered with the function's bare result in one reply, whatever its kind", async () => {
    const { push, frames } = await joined();
    expect(await push("whoami")).toEqual({
      ok: { topic: "api:lobby", ipAddress: "127.0.0.1", claims: { tenant: "t1" } },
    });
    expect(await push("later", { n: 1 })).toEqual({ ok: 2 });
    expect(await push("cast")).toEqual({ ok: {} });
    expect(frames.map(([event]) => event)).toEqual(["phx_reply", "phx_reply", "phx_reply"]);
  });

  test("is answered with a result that is nested deeper than the gateway could write it", async () => {
    const { push } = await joined();
    const { ok } = (await push("nested", { levels: 5_000 })) as { ok: unknown };
    let levels = 0;
    for (let at = ok; Array.isArray(at); at = at[0]) levels++;
    expect(levels).toBe(5_000);
  });

  test("is a request like any other: its permission, arguments and limits are checked", async () => {
    const { push, request } = await joined({
      rateLimiter: { globalLimits: [{ key: "userId", maxRequests: 4, windowMs: 60_000 }] },
    });
    expect(await push("mine", { tenant_id: "t1" })).toEqual({ ok: "t1" });
    expect(await push("mine", { tenant_id: "t2" })).toEqual({
      error: { reason: "permission_denied", message: "Permission denied", can_retry: false },
    });
    expect(await push("later", { n: "1" })).toMatchObject({
      error: { reason: "invalid_argument", message: expect.stringContaining("n") },
    });
    expect(await push("missing")).toMatchObject({ error: { reason: "not_found" } });
    expect(await push("refuse")).toEqual({
      error: { reason: "failed", message: "Nothing left", can_retry: true, detail: "sold_out" },
    });
    expect((await request("on_main")).response).toMatchObject({ success: true });
    expect(await push("cast")).toMatchObject({
      error: { reason: "rate_limited", can_retry: true, retry_after_ms: expect.any(Number) },
    });
  });

  test("takes its payload for arguments, and nothing else in it", async () => {
    const { push } = await joined();
    const forged = { service: "context", request_type: "never", args: { tenant_id: "t1" }, user_id: "root" };
    expect(await push("mine", forged)).toMatchObject({
      error: { reason: "invalid_argument", message: 'Argument "tenant_id": expected string, got nothing' },
    });
    for (const payload of [[], "text", 5]) {
      expect(await push("later", payload as never)).toMatchObject({
        error: { reason: "invalid_request", message: expect.stringContaining("args must be a map") },
      });
    }
  });

  test("takes as large a payload as a request, and no larger one", async () => {
    const { push } = await joined();
    const most = 1_000_000;
    expect(await push("mine", { tenant_id: "x".repeat(most / 2) })).toMatchObject({
      error: { reason: "permission_denied" },
    });
    expect(await push("mine", { tenant_id: "x".repeat(most) })).toMatchObject({
      error: { reason: "invalid_request", message: expect.stringContaining("exceeds maximum size") },
    });
  });

  test("cannot be a stream: it is refused by name, and the stream ended", async () => {
    const { push, gateway } = await joined();
    using stopped = recordEvents("stream.stop");
    expect(await push("ticks")).toEqual({
      error: {
        reason: "invalid_request",
        message: "Invalid request: context.ticks is a stream, which no event can call",
        can_retry: false,
      },
    });
    await expect.poll(() => stopped.messages.length).toBe(1);
    expect(gateway.diagnostics.statistics().streams).toMatchObject({ open: 0 });
  });
});

test("an unknown event crashes its channel, as in Phoenix, even one that every object inherits", async () => {
  const { channel } = await joined();
  for (const event of ["typing", "constructor", "__proto__"]) {
    const crashed = new Promise((resolve) => channel.onError(resolve));
    channel.push(event, {});
    expect(await crashed).toBeDefined();
  }
});

test.each(["phx_join", "phx_anything", "api", "cancel", "stop_stream", "ack", "resume", ""])(
  "the name %j is refused at the start",
  async (name) => {
    const channels = [{ topic: "api:*", event: "api", events: { [name]: to("cast") } }];
    await expect(startGateway({ channels, functions })).rejects.toThrow(
      `channels[0].events must be named none of phx_*, cancel, stop_stream, ack, resume and the channel's own event, got "${name}"`,
    );
  },
);

test("a wrong function of an event is refused by its path", async () => {
  const channels = [{ topic: "api:*", events: { typing: { service: "context" } } }] as never;
  await expect(startGateway({ channels, functions })).rejects.toThrow("channels[0].events.typing.requestType must be");
});
