import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Gateway, type GatewayOptions, JoinRefused, startGenApi } from "gen-api";
import { Socket } from "phoenix";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { noticeMs } from "../../src/socket/drainer.ts";
import service from "../fixtures/stopping.js";
import { send } from "../support/admin.ts";
import { keep } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { connectRaw, type Frame, type RawClient } from "../support/network/raw-client.ts";
import { Notes } from "../support/notes.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { until } from "../support/until.ts";

let notes: Notes;
beforeEach(() => {
  notes = new Notes();
});
afterEach(() => notes[Symbol.dispose]());

async function start(options: GatewayOptions = {}): Promise<Gateway> {
  return keep(
    await startGenApi({
      logger: false,
      listen: { port: 0 },
      channels: [
        { topic: "api:*", event: "api" },
        { topic: "slow:*", event: "api", join: () => new Promise(() => undefined) },
        {
          topic: "no:*",
          join: () => {
            throw new JoinRefused({ reason: "no" });
          },
        },
      ],
      modules: { hooks: new URL("../fixtures/stopping.js", import.meta.url) },
      functions: [service],
      workerPool: { threads: 1 },
      ...options,
    }),
  );
}

const open = (gateway: Gateway) => connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0`);

async function joined(gateway: Gateway): Promise<RawClient> {
  const client = await open(gateway);
  await client.join("api:x", "1");
  return client;
}

const request = (requestType: string, requestId: string, args: object = {}, topic = "api:x", joinRef = "1") => [
  joinRef,
  requestId,
  topic,
  "api",
  { service: "stopping", request_type: requestType, request_id: requestId, args },
];
const isFinal = (id: string) => (frame: Frame) => {
  const payload = frame[4] as { request_id?: string; has_more?: boolean; async?: boolean };
  return frame[3] === "api" && payload.request_id === id && !payload.has_more && !payload.async;
};
const isNotice = (frame: Frame) => frame[3] === "phx_error";
const notice = (joinRef: string, topic: string) => [joinRef, joinRef, topic, "phx_error", { reason: "draining" }];
const stops = { code: 1012, reason: "the gateway stops" };
const unavailable = { success: false, error_code: "unavailable", can_retry: true };

describe("when a stop begins", () => {
  test("every channel is told so, and every request that still arrives is answered, until the socket closes", async () => {
    const clock = new SimulatedClock();
    const gateway = await start({ clock });
    const client = await joined(gateway);
    await client.join("api:y", "2");
    const stopped = gateway.stop({ drainMs: 20_000 });
    expect(await client.next(isNotice)).toEqual(notice("1", "api:x"));
    expect(await client.next(isNotice)).toEqual(notice("2", "api:y"));
    // It does not listen: it sends on for as long as it has.
    const sent = 100;
    for (let n = 1; n <= sent; n++) client.send(request(n % 2 === 0 ? "echo" : "on_main", `r${n}`, { value: n }));
    const answersOf = () => client.frames.filter(([, , , event]) => event === "api");
    await until(() => answersOf().length === sent);
    await clock.advanceAsync(noticeMs - 1);
    await client.settled();
    expect(await clock.passUntil(client.closed)).toEqual(stops);
    const answers = answersOf().map(([, , , , payload]) => payload);
    expect(answers.length).toBe(sent);
    for (const answer of answers) expect(answer).toMatchObject(unavailable);
    expect(client.frames.filter(([, , , event]) => event === "phx_reply").length).toBe(sent);
    await stopped;
  });

  test("so is what has come while the gateway's thread was busy, though the time to close is over", async () => {
    const gateway = await start();
    const client = await joined(gateway);
    const stopped = gateway.stop({ drainMs: 20_000 });
    await client.next(isNotice);
    const ids = Array.from({ length: 500 }, (_, index) => `r${index}`);
    for (const id of ids) client.send(request("echo", id, { value: "x".repeat(500) }));
    const until = performance.now() + 600;
    while (performance.now() < until);
    expect(await client.closed).toEqual(stops);
    const answers = client.frames.filter(({ 3: event }) => event === "api").map(({ 4: payload }) => payload);
    expect(answers.map((answer) => (answer as { request_id: string }).request_id)).toEqual(ids);
    await stopped;
  });

  test("the same holds for stop() without a time: what runs is answered at once, clients have a moment all the same", async () => {
    const clock = new SimulatedClock();
    const gateway = await start({ clock });
    const client = await joined(gateway);
    client.send(request("never", "running"));
    await notes.next("never began");
    const stopped = gateway.stop();
    expect((await client.next(isFinal("running")))[4]).toMatchObject(unavailable);
    for (const id of ["a", "b", "c"]) {
      client.send(request("echo", id, { value: 1 }));
      expect((await client.next(isFinal(id)))[4]).toMatchObject(unavailable);
    }
    expect(await clock.passUntil(client.closed)).toEqual(stops);
    await clock.passUntil(stopped);
  });

  test("a socket is closed when its own last call has ended, after the answer; others do not wait for it", async () => {
    const gateway = await start();
    const [idle, calling, streaming] = [await joined(gateway), await joined(gateway), await joined(gateway)];
    calling.send(request("waits", "call", { text: "go" }));
    streaming.send(request("ticks", "stream"));
    await notes.next("go began");
    await streaming.next(({ 4: payload }) => (payload as { result?: unknown }).result === 1);
    const stopped = gateway.stop({ drainMs: 3_000 });
    expect(await idle.closed).toEqual(stops);
    expect(calling.socket.readyState).toBe(WebSocket.OPEN);
    notes.tell("go");
    expect((await calling.next(isFinal("call")))[4]).toMatchObject({ success: true, result: "go" });
    expect(await calling.closed).toEqual(stops);
    expect(streaming.socket.readyState).toBe(WebSocket.OPEN);
    // It is told early, its chunks come on, and its end is one that can be tried again.
    expect(await streaming.next(isNotice)).toEqual(notice("1", "api:x"));
    expect((await streaming.next(isFinal("stream")))[4]).toMatchObject(unavailable);
    expect(await streaming.closed).toEqual(stops);
    expect(streaming.frames.length).toBeGreaterThan(50);
    await stopped;
  });

  test("sockets are closed in batches, one each interval", async () => {
    const clock = new SimulatedClock();
    const gateway = await start({ clock, drain: { batchSize: 2, intervalMs: 4_000 } });
    const clients: RawClient[] = [];
    for (let n = 0; n < 6; n++) clients.push(await joined(gateway));
    const stopped = gateway.stop({ drainMs: 20_000 });
    await Promise.all(clients.map((client) => client.next(isNotice)));
    const open = () => clients.map(({ socket }) => socket.readyState === WebSocket.OPEN);
    const from = clock.now();
    for (const batch of [0, 1, 2]) {
      await clock.advanceAsync(from + noticeMs + batch * 4_000 - 1 - clock.now());
      for (const client of clients.slice(2 * batch)) await client.settled();
      expect(open()).toEqual(clients.map((_, index) => index >= 2 * batch));
      const due = clients.slice(2 * batch, 2 * batch + 2).map(({ closed }) => closed);
      expect(await clock.passUntil(Promise.all(due))).toEqual([stops, stops]);
      expect(clock.now()).toBeLessThan(from + noticeMs + (batch + 1) * 4_000);
    }
    await clock.passUntil(stopped);
  });

  test("a plain stop closes them all at once, however small the batches are", async () => {
    const clock = new SimulatedClock();
    const gateway = await start({ clock, drain: { batchSize: 1, intervalMs: 60_000 } });
    const clients = [await joined(gateway), await joined(gateway), await joined(gateway)];
    const stopped = gateway.stop();
    await Promise.all(clients.map((client) => client.next(isNotice)));
    const allClosed = clock.passUntil(Promise.all(clients.map(({ closed }) => closed)));
    expect(await allClosed).toEqual([stops, stops, stops]);
    expect(clock.now()).toBeLessThan(60_000);
    await clock.passUntil(stopped);
  });
});

describe("joins on a socket that drains", () => {
  test("are refused with the reason, the pending ones at once, and what was sent behind them is answered", async () => {
    const gateway = await start();
    const client = await joined(gateway);
    client.send(["5", "5", "slow:x", "phx_join", {}]);
    client.send(request("echo", "6", { value: 1 }, "slow:x", "5"));
    await client.settled();
    const stopped = gateway.stop({ drainMs: 20_000 });
    const refused = { status: "error", response: { reason: "draining" } };
    expect(await client.reply("5")).toEqual(["5", "5", "slow:x", "phx_reply", refused]);
    expect(await client.reply("6")).toEqual([null, "6", "slow:x", "phx_reply", refused]);
    expect(await client.join("api:new", "7")).toEqual(refused);
    expect(await client.join("api:x", "8")).toEqual(refused);
    // A topic that there is nowhere is told so, here as elsewhere.
    expect(await client.join("none:x", "9")).toEqual({ status: "error", response: { reason: "unmatched topic" } });
    expect(await client.closed).toEqual(stops);
    await stopped;
  });

  test("do not cost a running call its answer: like a broadcast it has no join_ref, so that no attempt to rejoin makes it stale", async () => {
    const gateway = await start();
    const client = await joined(gateway);
    client.send(request("waits", "call", { text: "go" }));
    await notes.next("go began");
    const stopped = gateway.stop({ drainMs: 20_000 });
    await client.next(isNotice);
    await client.join("api:x", "9");
    // Sent with either join_ref, a request is answered.
    client.send(request("echo", "old", { value: 1 }, "api:x", "1"));
    client.send(request("echo", "new", { value: 1 }, "api:x", "9"));
    expect(await client.next(isFinal("old"))).toMatchObject([null, null, "api:x", "api", unavailable]);
    expect(await client.next(isFinal("new"))).toMatchObject([null, null, "api:x", "api", unavailable]);
    notes.tell("go");
    expect(await client.next(isFinal("call"))).toMatchObject([null, null, "api:x", "api", { result: "go" }]);
    expect((await client.reply("call"))[0]).toBeNull();
    expect(await client.closed).toEqual(stops);
    await stopped;
  });

  test("of the official client neither: it tries again while its call runs, and gets the answer", async () => {
    const gateway = await start();
    const socket = new Socket(urlOf(gateway), { transport: WebSocket as never, rejoinAfterMs: () => 20 });
    socket.connect();
    const channel = socket.channel("api:x");
    await new Promise((resolve) => channel.join().receive("ok", resolve));
    let refusals = 0;
    socket.onMessage((message) => {
      const { event, payload } = message as { event: string; payload: { response?: { reason?: string } } };
      if (event === "phx_reply" && payload.response?.reason === "draining") refusals++;
    });
    const answered = new Promise((resolve) => channel.on("api", resolve));
    const replied = new Promise((resolve) => {
      channel
        .push("api", { service: "stopping", request_type: "waits", request_id: "r", args: { text: "go" } })
        .receive("ok", resolve);
    });
    await notes.next("go began");
    const stopped = gateway.stop({ drainMs: 20_000 });
    while (refusals < 3) await sleep(10);
    notes.tell("go");
    expect(await answered).toMatchObject({ request_id: "r", success: true, result: "go" });
    expect(await replied).toBe("waits");
    await stopped;
    await new Promise<void>((resolve) => socket.disconnect(() => resolve()));
  });
});

describe("what is under way when a stop begins", () => {
  test.each([
    ["a call in its before hook runs, and is answered", "call_behind_hook"],
    ["a request of type none in its before hook is accepted before its socket closes, and runs", "cast_behind_hook"],
  ])("%s", async (_name, requestType) => {
    const clock = new SimulatedClock();
    const gateway = await start({ clock });
    const client = await joined(gateway);
    client.send(request(requestType, "r"));
    await notes.next("hook began");
    const stopped = gateway.stop({ drainMs: 20_000 });
    await client.next(isNotice);
    await clock.advanceAsync(15_000);
    await client.settled();
    notes.tell("hook");
    if (requestType === "cast_behind_hook") await notes.next("cast ran");
    expect((await client.reply("r"))[4]).toEqual({ status: "ok", response: requestType });
    expect(await clock.passUntil(client.closed)).toEqual(stops);
    await clock.passUntil(stopped);
  });

  test("a call that is given up has its after hook, and its answer all the same", async () => {
    const gateway = await start();
    const client = await joined(gateway);
    client.send(request("never_with_hook", "r"));
    await notes.next("never began");
    const stopped = gateway.stop({ drainMs: 400 });
    expect((await client.next(isFinal("r")))[4]).toMatchObject(unavailable);
    expect(await client.closed).toEqual(stops);
    await stopped;
  });

  test("a request in the queue of a pool has its turn", async () => {
    const gateway = await start({ workerPool: { threads: 1, asyncPoolSize: 1 } });
    const client = await joined(gateway);
    client.send(request("waits", "first", { text: "go" }));
    client.send(request("echo", "second", { value: 2 }));
    await notes.next("go began");
    const stopped = gateway.stop({ drainMs: 20_000 });
    await client.next(isNotice);
    notes.tell("go");
    expect((await client.next(isFinal("first")))[4]).toMatchObject({ result: "go" });
    expect((await client.next(isFinal("second")))[4]).toMatchObject({ result: 2 });
    expect(await client.closed).toEqual(stops);
    await stopped;
  });

  test("a client that reads nothing, and does not answer the Close frame, holds the stop up by closeTimeoutMs", async () => {
    const gateway = await start({ socket: { closeTimeoutMs: 500 } });
    const stalled = await joined(gateway);
    stalled.send(request("floods", "r"));
    await stalled.next(({ 3: event }) => event === "api");
    stalled.socket.pause();
    const began = performance.now();
    await gateway.stop({ drainMs: 500 });
    // A WebSocket server of `ws` gives such a client 30 seconds.
    expect(performance.now() - began).toBeLessThan(20_000);
    stalled.socket.terminate();
  });

  test("a client that sends without end does not put the stop off", async () => {
    const gateway = await start();
    const flooding = await joined(gateway);
    const began = performance.now();
    const stopped = gateway.stop({ drainMs: 60_000 });
    for (let sent = 0; flooding.socket.readyState === WebSocket.OPEN; sent++) {
      flooding.send(request("echo", `r${sent}`, { value: "x".repeat(1_000) }));
      flooding.send([`j${sent}`, `j${sent}`, "api:x", "phx_join", {}]);
      if (sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await stopped;
    expect(performance.now() - began).toBeLessThan(30_000);
  });
});

describe("who comes while a gateway stops", () => {
  test("is refused at once: its own port is closed", async () => {
    const gateway = await start();
    const { port } = new URL(urlOf(gateway));
    const client = await joined(gateway);
    client.send(request("waits", "call", { text: "go" }));
    await notes.next("go began");
    const stopped = gateway.stop({ drainMs: 20_000 });
    const socket = connectTcp(Number(port), "127.0.0.1");
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
    notes.tell("go");
    await stopped;
  });

  test("gets 503 and when to come again on a host's own server, which goes on", async () => {
    const server = createServer((httpRequest, response) => {
      if (!gateway.handleProbe(httpRequest, response)) response.end("the host's own");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const to = { port: (server.address() as AddressInfo).port };
    const gateway = await start({ listen: false, server });
    const client = await joined(gateway);
    client.send(request("waits", "call", { text: "go" }));
    await notes.next("go began");
    const stopped = gateway.stop({ drainMs: 20_000 });
    const late = new WebSocket(`${urlOf(gateway)}/websocket?vsn=2.0.0`);
    late.on("error", () => undefined);
    const [, { statusCode, headers }] = await once(late, "unexpected-response");
    expect([statusCode, headers["retry-after"]]).toEqual([503, "1"]);
    expect(await send(to, "/readyz")).toMatchObject({ status: 503, json: { reasons: [{ code: "draining" }] } });
    expect(await send(to, "/healthz")).toMatchObject({ status: 200 });
    notes.tell("go");
    await stopped;
    expect((await send(to, "/")).text).toBe("the host's own");
    server.close();
  });

  test("is served for notReadyMs: so long only /readyz says that it goes", async () => {
    const clock = new SimulatedClock();
    const gateway = await start({ clock });
    const to = { port: Number(new URL(urlOf(gateway)).port) };
    const stopped = gateway.stop({ notReadyMs: 1_000, drainMs: 20_000 });
    expect(await send(to, "/readyz")).toMatchObject({ status: 503, json: { reasons: [{ code: "draining" }] } });
    expect(await send(to, "/healthz")).toMatchObject({ status: 200 });
    const client = await joined(gateway);
    client.send(request("echo", "r", { value: 1 }));
    expect((await client.next(isFinal("r")))[4]).toMatchObject({ success: true, result: 1 });
    await clock.advanceAsync(999);
    await client.settled();
    expect(client.frames.some(isNotice)).toBe(false);
    await clock.advanceAsync(1);
    expect(await client.next(isNotice)).toEqual(notice("1", "api:x"));
    expect(await clock.passUntil(client.closed)).toEqual(stops);
    await clock.passUntil(stopped);
  });
});

test.each([
  [{ drainMs: -1 }, "drainMs must be a number of milliseconds, 0 or more, got -1"],
  [{ drainMs: "10 s" }, 'drainMs must be a number of milliseconds, 0 or more, got "10 s"'],
  [{ notReadyMs: Number.NaN }, "notReadyMs must be a number of milliseconds, 0 or more, got NaN"],
])("stop(%o) is refused, and the gateway goes on", async (options, message) => {
  const gateway = await start();
  await expect(gateway.stop(options as never)).rejects.toMatchObject({ code: "invalid_option", message });
  expect(gateway.diagnostics.health().isReady).toBe(true);
  expect(await gateway.call({ service: "stopping", requestType: "echo", args: { value: 1 } })).toBe(1);
});
