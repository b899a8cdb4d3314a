import { describe, expect, it } from "vitest";
import { JoinRefused } from "../../src/socket/channels/channel.ts";
import { runningCall } from "../support/running-call.ts";
import { echo, listenTo, openGateway } from "./open-gateway.ts";

const unmatched = { status: "error", response: { reason: "unmatched topic" } };
const ok = { status: "ok", response: {} };

describe("a message of the socket itself", () => {
  it("is answered when it is a heartbeat, join_ref null whatever came", async () => {
    await using gateway = await openGateway();
    const client = await gateway.connect();
    client.send([null, "6", "phoenix", "heartbeat", {}]);
    expect(await client.next()).toEqual([null, "6", "phoenix", "phx_reply", ok]);
    client.send(["1", 7, "phoenix", "heartbeat", {}]);
    expect(await client.next()).toEqual([null, 7, "phoenix", "phx_reply", ok]);
  });

  it("is unmatched when it is anything else on the topic phoenix", async () => {
    await using gateway = await openGateway();
    const client = await gateway.connect();
    client.send([null, "6", "phoenix", "other", {}]);
    expect(await client.next()).toEqual([null, "6", "phoenix", "phx_reply", unmatched]);
  });
});

describe("a join", () => {
  it("takes the first channel that matches, exactly or by its prefix", async () => {
    const join = (name: string) => () => ({ name });
    await using gateway = await openGateway({
      channels: [
        { topic: "api:exact", join: join("exact") },
        { topic: "api:*", join: join("prefix") },
        { topic: "*", join: join("rest") },
      ],
    });
    const client = await gateway.connect();
    expect(await client.join("api:exact", "1")).toEqual({ status: "ok", response: { name: "exact" } });
    expect(await client.join("api:exact2", "2")).toEqual({ status: "ok", response: { name: "prefix" } });
    expect(await client.join("api:", "3")).toEqual({ status: "ok", response: { name: "prefix" } });
    expect(await client.join("api", "4")).toEqual({ status: "ok", response: { name: "rest" } });
  });

  it("of a topic that no channel matches is refused with join_ref null", async () => {
    await using gateway = await openGateway();
    const client = await gateway.connect();
    client.send(["1", "1", "room:1", "phx_join", {}]);
    expect(await client.next()).toEqual([null, "1", "room:1", "phx_reply", unmatched]);
  });

  it("gets what join returned, topic, payload and socket being told to it", async () => {
    const seen: unknown[] = [];
    await using gateway = await openGateway({
      connect: () => ({ userId: "u1", plan: "free" }),
      channels: [{ topic: "api:*", join: ({ topic, payload, socket }) => seen.push(topic, payload, socket.assigns) }],
    });
    const client = await gateway.connect();
    expect(await client.join("api:a", "1", { x: 1 })).toEqual({ status: "ok", response: 3 });
    expect(seen).toEqual(["api:a", { x: 1 }, { userId: "u1", plan: "free" }]);
  });

  it.each([
    ["a JoinRefused with its payload", () => new JoinRefused({ reason: "no" }), { reason: "no" }],
    ["anything else as a crash", () => new Error("secret"), { reason: "join crashed" }],
  ])("is refused by %s, thrown or rejected, and no channel is left", async (_what, error, response) => {
    await using gateway = await openGateway({
      channels: [
        {
          topic: "api:thrown",
          join: () => {
            throw error();
          },
        },
        {
          topic: "api:rejected",
          join: async () => {
            throw error();
          },
        },
      ],
    });
    const client = await gateway.connect();
    for (const topic of ["api:thrown", "api:rejected"]) {
      client.send(["1", "1", topic, "phx_join", {}]);
      expect(await client.next()).toEqual(["1", "1", topic, "phx_reply", { status: "error", response }]);
      client.send(["1", "2", topic, "api", {}]);
      expect(await client.next()).toEqual([null, "2", topic, "phx_reply", unmatched]);
    }
  });

  it.each(["thrown", "rejected"])("refused with what cannot be JSON, %s, has crashed", async (how) => {
    using crashes = listenTo("channel.crash");
    const refuse = () => {
      throw new JoinRefused({ n: 1n });
    };
    await using gateway = await openGateway({
      channels: [{ topic: "api:a", join: how === "thrown" ? refuse : async () => refuse() }],
    });
    const client = await gateway.connect();
    expect(await client.join("api:a")).toEqual({ status: "error", response: { reason: "join crashed" } });
    await client.settled();
    expect(crashes.messages).toHaveLength(1);
  });

  it("whose reply cannot be JSON has crashed", async () => {
    await using gateway = await openGateway({ channels: [{ topic: "api:a", join: () => ({ n: 1n }) }] });
    const client = await gateway.connect();
    expect(await client.join("api:a")).toEqual({ status: "error", response: { reason: "join crashed" } });
  });

  it("of one topic too many is refused, and one left makes room for another", async () => {
    await using gateway = await openGateway();
    const client = await gateway.connect();
    for (let n = 1; n <= 100; n++) expect(await client.join(`api:${n}`, String(n))).toEqual(ok);
    client.send(["101", "101", "api:101", "phx_join", {}]);
    const tooMany = { status: "error", response: { reason: "too many channels joined" } };
    expect(await client.next()).toEqual(["101", "101", "api:101", "phx_reply", tooMany]);
    client.send(["5", "102", "api:5", "phx_leave", {}]);
    expect(await client.reply("102")).toEqual(["5", "102", "api:5", "phx_reply", ok]);
    expect(await client.join("api:101", "103")).toEqual(ok);
  });

  it("that takes time holds back its own topic's messages, in their order, and nothing else", async () => {
    let letIn: (reply: object) => void = () => undefined;
    await using gateway = await openGateway({
      channels: [
        {
          topic: "api:slow",
          event: "api",
          join: () =>
            new Promise((resolve) => {
              letIn = resolve;
            }),
        },
        { topic: "api:*", event: "api" },
      ],
    });
    const client = await gateway.connect();
    client.send(["1", "1", "api:slow", "phx_join", {}]);
    client.send(["1", "2", "api:slow", "api", { n: 1 }]);
    client.send(["1", "3", "api:slow", "api", { n: 2 }]);
    client.send(["1", "4", "api:slow", "phx_leave", {}]);
    expect(await client.join("api:fast", "5")).toEqual(ok);
    await client.settled();
    expect(client.frames).toEqual([]);
    letIn({});
    expect((await client.next()).slice(1, 4)).toEqual(["1", "api:slow", "phx_reply"]);
    expect(await client.next()).toEqual(["1", null, "api:slow", "api", { n: 1 }]);
    expect((await client.next())[1]).toBe("2");
    expect(await client.next()).toEqual(["1", null, "api:slow", "api", { n: 2 }]);
    expect((await client.next())[1]).toBe("3");
    expect((await client.next())[1]).toBe("4");
    expect(await client.next()).toEqual(["1", "1", "api:slow", "phx_close", {}]);
  });

  it("that is not answered in time is refused, and what comes of it later is nothing", async () => {
    let letIn: (reply: object) => void = () => undefined;
    await using gateway = await openGateway({
      joinTimeoutMs: 20,
      channels: [
        {
          topic: "api:slow",
          join: () =>
            new Promise((resolve) => {
              letIn = resolve;
            }),
        },
      ],
    });
    const client = await gateway.connect();
    expect(await client.join("api:slow")).toEqual({ status: "error", response: { reason: "join timed out" } });
    letIn({});
    client.send(["1", "2", "api:slow", "phx_leave", {}]);
    expect(await client.next()).toEqual(["1", "2", "api:slow", "phx_reply", ok]);
  });

  it("that takes too long lets only so much be held back", async () => {
    let letIn: (reply: object) => void = () => undefined;
    await using gateway = await openGateway({
      maxFrameBytes: 5_000,
      channels: [
        {
          topic: "api:*",
          event: "api",
          join: () =>
            new Promise((resolve) => {
              letIn = resolve;
            }),
        },
      ],
    });
    const client = await gateway.connect();
    for (const topic of ["api:x", "api:y"]) client.send(["1", "1", topic, "phx_join", {}]);
    for (let n = 2; n <= 6; n++) client.send(["1", String(n), n % 2 ? "api:x" : "api:y", "api", {}]);
    const response = { reason: "too many messages before the join was answered" };
    expect(await client.next()).toEqual(["1", "6", "api:y", "phx_reply", { status: "error", response }]);
    letIn({});
    await client.reply("4");
    // What was let go makes room again.
    client.send(["1", "7", "api:x", "api", {}]);
    await client.settled();
    expect(client.frames.filter(([, ref]) => ref === "7")).toEqual([]);
  });

  it("of a topic that is joined replaces it: reply, then phx_close with the old join_ref, then the new one's", async () => {
    await using gateway = await openGateway();
    gateway.handle = () => undefined;
    const client = await gateway.connect();
    await client.join("api:a", "1");
    client.send(["1", "2", "api:a", "api", {}]);
    client.send(["3", "3", "api:a", "phx_join", {}]);
    expect(await client.next()).toEqual(["3", "3", "api:a", "phx_reply", ok]);
    expect(await client.next()).toEqual(["1", "1", "api:a", "phx_close", {}]);
    gateway.handled[0]?.replyTo.push('"late"');
    gateway.handle = echo;
    client.send(["3", "4", "api:a", "api", { new: true }]);
    expect(await client.next()).toEqual(["3", null, "api:a", "api", { new: true }]);
  });
});

describe("a message on a joined topic", () => {
  it("is answered by a push of the Response, then the reply", async () => {
    await using gateway = await openGateway();
    const client = await gateway.joined();
    client.send(["1", "2", "api:a", "api", { x: "é\ud83d\ude00" }]);
    expect(await client.next()).toEqual(["1", null, "api:a", "api", { x: "é\ud83d\ude00" }]);
    expect(await client.next()).toEqual(["1", "2", "api:a", "phx_reply", { status: "ok", response: "echo" }]);
  });

  it("is answered inside the reply when the channel says so", async () => {
    await using gateway = await openGateway({ channels: [{ topic: "api:*", replyMode: "reply" }] });
    const client = await gateway.joined();
    client.send(["1", "2", "api:a", "phoenix_gen_api", { x: 1 }]);
    expect(await client.next()).toEqual(["1", "2", "api:a", "phx_reply", { status: "ok", response: { x: 1 } }]);
    await client.settled();
    expect(client.frames).toEqual([]);
  });

  it("need not carry a join_ref, and is not heard with that of another join", async () => {
    await using gateway = await openGateway();
    const client = await gateway.joined();
    client.send(["0", "2", "api:a", "api", { stale: true }]);
    client.send(["0", "3", "api:a", "phx_leave", {}]);
    client.send([null, "4", "api:a", "api", { x: 1 }]);
    expect(await client.next()).toEqual(["1", null, "api:a", "api", { x: 1 }]);
    expect((await client.next())[1]).toBe("4");
    expect(gateway.handled).toHaveLength(1);
  });

  it("reaches the handler with its size and its caller", async () => {
    await using gateway = await openGateway({
      connect: () => ({ userId: "u1", userRoles: ["admin"], deviceId: "d1" }),
      channels: [{ topic: "api:*", event: "api", overrideUserId: false, requireVerifiedUserId: true }],
    });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const client = await gateway.connect("vsn=2.0.0", { headers: { traceparent, tracestate: "a=1" } });
    await client.join("api:a");
    const frame = '["1","2","api:a","api",{"x":1}]';
    client.send(frame);
    await client.reply("2");
    expect(gateway.handled[0]).toMatchObject({
      payload: { x: 1 },
      bytes: frame.length,
      caller: {
        userId: "u1",
        userRoles: ["admin"],
        deviceId: "d1",
        ipAddress: "127.0.0.1",
        trace: { traceparent, tracestate: "a=1" },
        overrideUserId: false,
        requireVerifiedUserId: true,
      },
    });
  });

  it("reaches the handler with its request_id alone when its payload is too large", async () => {
    await using gateway = await openGateway({ maxPayloadBytes: 1_000 });
    gateway.handle = (_payload, _bytes, _caller, replyTo) => replyTo.reply("error", "0");
    const client = await gateway.joined();
    const large = { text: "x".repeat(2_000) };
    const nested = { args: { request_id: "not this one", large } };
    const payloads = [
      { request_id: "first", args: large },
      { ...nested, request_id: 'l"ast' },
      nested,
      { request_id: 7, large },
      { request_id: "x".repeat(20_000) },
      [large],
    ];
    for (const payload of payloads) {
      client.send(["1", "2", "api:a", "api", payload]);
      await client.next();
    }
    expect(gateway.handled.map(({ payload }) => payload)).toEqual([
      { request_id: "first" },
      { request_id: 'l"ast' },
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("reaches the handler unparsed when its payload is too large and has no request_id", async () => {
    await using gateway = await openGateway({ maxPayloadBytes: 1_000 });
    gateway.handle = (_payload, bytes, _caller, replyTo) => replyTo.reply("error", `"${bytes} bytes"`);
    const client = await gateway.joined();
    const payload = { x: "é".repeat(1_000) };
    client.send(["1", "2", "api:a", "api", payload]);
    expect((await client.next())[4]).toEqual({ status: "error", response: "2008 bytes" });
    expect(gateway.handled[0]?.payload).toBeUndefined();
  });

  it("crashes its channel alone when the channel has no such event", async () => {
    await using gateway = await openGateway();
    using crashes = listenTo("channel.crash");
    const client = await gateway.joined();
    await client.join("api:b", "2");
    client.send(["1", "3", "api:a", "no_such_event", {}]);
    expect(await client.next()).toEqual(["1", "1", "api:a", "phx_error", { reason: "channel_crash" }]);
    client.send(["1", "4", "api:a", "api", {}]);
    expect(await client.next()).toEqual([null, "4", "api:a", "phx_reply", unmatched]);
    client.send(["2", "5", "api:b", "api", { still: "here" }]);
    expect((await client.next())[4]).toEqual({ still: "here" });
    expect(await client.join("api:a", "6")).toEqual(ok);
    expect(crashes.messages[0]?.metadata).toMatchObject({ topic: "api:a" });
    expect(crashes.messages[0]?.metadata.error.message).toContain('no event "no_such_event"');
  });

  it("crashes its channel alone when the handler throws", async () => {
    await using gateway = await openGateway();
    using crashes = listenTo("channel.crash");
    gateway.handle = () => {
      throw new Error("broken");
    };
    const client = await gateway.joined();
    client.send(["1", "2", "api:a", "api", {}]);
    expect(await client.next()).toEqual(["1", "1", "api:a", "phx_error", { reason: "channel_crash" }]);
    await client.settled();
    expect(crashes.messages[0]?.metadata.error.message).toBe("broken");
  });

  it("cancels a running call by its request id", async () => {
    await using gateway = await openGateway();
    const aborted: string[] = [];
    gateway.handle = (_payload, _bytes, caller) => {
      const call = runningCall({
        requestId: "r1",
        abort(reason) {
          aborted.push(reason);
          caller.calls.delete(place);
        },
      });
      const place = caller.calls.add(call);
    };
    const client = await gateway.joined();
    client.send(["1", "2", "api:a", "api", {}]);
    client.send(["1", "3", "api:a", "cancel", { request_id: "r1" }]);
    expect(await client.next()).toEqual(["1", "3", "api:a", "phx_reply", ok]);
    for (const payload of [{ request_id: "r1" }, {}, null, "r1", { request_id: 1 }]) {
      client.send(["1", "4", "api:a", "cancel", payload]);
      const notFound = { status: "error", response: { reason: "not_found" } };
      expect(await client.next()).toEqual(["1", "4", "api:a", "phx_reply", notFound]);
    }
    expect(aborted).toEqual(["cancelled"]);
  });
});

describe("a stream", () => {
  it("is stopped by its request id: the reply first, then what the end brings; cancel ends it too", async () => {
    await using gateway = await openGateway();
    gateway.handle = (_payload, _bytes, caller, replyTo) => {
      const end = (how: string) => {
        caller.calls.delete(place);
        replyTo.push(`{"ended":"${how}"}`);
      };
      const place = caller.calls.add(
        runningCall({ requestId: "r1", isStream: true, stop: () => end("stopped"), abort: end }),
      );
    };
    const client = await gateway.joined();
    for (const [event, how] of [
      ["stop_stream", "stopped"],
      ["cancel", "cancelled"],
    ] as const) {
      client.send(["1", "2", "api:a", "api", {}]);
      client.send(["1", "3", "api:a", event, { request_id: "r1" }]);
      expect(await client.next()).toEqual(["1", "3", "api:a", "phx_reply", ok]);
      expect(await client.next()).toEqual(["1", null, "api:a", "api", { ended: how }]);
    }
    client.send(["1", "4", "api:a", "stop_stream", { request_id: "r1" }]);
    const notFound = { status: "error", response: { reason: "not_found" } };
    expect(await client.next()).toEqual(["1", "4", "api:a", "phx_reply", notFound]);
  });
});

describe("what telemetry says of a channel", () => {
  it("is who joined what, accepted or not, and who left", async () => {
    using joins = listenTo("channel.join");
    using leaves = listenTo("channel.leave");
    const join = ({ payload }: { payload: unknown }) => {
      if (payload === "no") throw new JoinRefused();
    };
    await using gateway = await openGateway({ channels: [{ topic: "api:*", join }] });
    const client = await gateway.connect();
    expect(await client.join("api:a", "1", "no")).toEqual({ status: "error", response: {} });
    await client.join("api:a", "2");
    client.send(["2", "3", "api:a", "phx_leave", {}]);
    await client.reply("3");
    await client.join("api:b", "4");
    client.socket.terminate();
    await expect.poll(() => leaves.messages.length).toBe(2);
    const names = { gateway: "test", connection: "connection_1" };
    expect(joins.messages.map(({ metadata }) => metadata)).toEqual([
      { ...names, topic: "api:a", accepted: false },
      { ...names, topic: "api:a", accepted: true },
      { ...names, topic: "api:b", accepted: true },
    ]);
    expect(leaves.messages.map(({ metadata }) => metadata.topic)).toEqual(["api:a", "api:b"]);
  });
});

describe("leaving", () => {
  it("replies, then closes the channel; a second leave is answered too", async () => {
    await using gateway = await openGateway();
    const client = await gateway.joined();
    client.send(["1", "7", "api:a", "phx_leave", {}]);
    expect(await client.next()).toEqual(["1", "7", "api:a", "phx_reply", ok]);
    expect(await client.next()).toEqual(["1", "1", "api:a", "phx_close", {}]);
    client.send(["1", "8", "api:a", "phx_leave", {}]);
    expect(await client.next()).toEqual(["1", "8", "api:a", "phx_reply", ok]);
    client.send(["1", "9", "api:a", "api", {}]);
    expect(await client.next()).toEqual([null, "9", "api:a", "phx_reply", unmatched]);
  });

  it.each(["phx_leave", "no_such_event", "disconnect"])(
    "by %s aborts what runs; what it still answers goes nowhere",
    async (how) => {
      await using gateway = await openGateway();
      const aborted = deferred<string>();
      gateway.handle = (_payload, _bytes, caller) =>
        caller.calls.add(runningCall({ requestId: "r1", abort: aborted.resolve }));
      const client = await gateway.joined();
      client.send(["1", "2", "api:a", "api", {}]);
      await client.settled();
      if (how === "disconnect") client.socket.terminate();
      else client.send(["1", "3", "api:a", how, {}]);
      expect(await aborted.promise).toBe("disconnected");
      const before = client.frames.length;
      const { replyTo } = gateway.handled[0] as (typeof gateway.handled)[0];
      replyTo.answer("{}", "ok", "{}");
      replyTo.push("{}");
      replyTo.reply("ok", "{}");
      if (how === "disconnect") return;
      await client.settled();
      expect(client.frames.slice(before).filter(([, , , event]) => event === "api")).toEqual([]);
    },
  );
});

function deferred<Value>() {
  let resolve: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
