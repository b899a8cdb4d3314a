import { type Gateway, type GatewayOptions, startGenApi } from "gen-api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import service from "../../fixtures/streams/counted.js";
import { keep, nextEvent, startGateway, startNode } from "../../support/cluster.ts";
import { urlOf } from "../../support/gateway.ts";
import { connectRaw, type Frame, type RawClient } from "../../support/network/raw-client.ts";
import { Notes } from "../../support/notes.ts";
import { until } from "../../support/until.ts";

const options: GatewayOptions = {
  logger: false,
  listen: { port: 0 },
  socket: { connect: ({ params }) => ({ userId: typeof params.user_id === "string" ? params.user_id : null }) },
  channels: [
    { topic: "api:*", event: "api" },
    { topic: "other:*", event: "call", replyMode: "reply" },
  ],
  functions: [service],
  workerPool: { threads: 1 },
};

async function start(more: GatewayOptions = {}): Promise<Gateway> {
  return keep(await startGenApi({ ...options, ...more }));
}

const clients: RawClient[] = [];
let notes: Notes;
beforeEach(() => {
  notes = new Notes();
});
afterEach(() => {
  for (const client of clients.splice(0)) client.socket.terminate();
  notes[Symbol.dispose]();
});

async function connect(gateway: Gateway, { userId = "" } = {}): Promise<RawClient> {
  const query = userId === "" ? "" : `&user_id=${userId}`;
  const client = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0${query}`);
  clients.push(client);
  await client.join("api:x", "1");
  return client;
}

interface Response {
  readonly request_id: string;
  readonly result: unknown;
  readonly seq?: number;
  readonly resume_token?: string;
}

const isResponse = (event: string) => (frame: Frame) => frame[3] === event && frame[1] === null;
const next = async (client: RawClient, event = "api") => (await client.next(isResponse(event)))[4] as Response;

/** Starts a stream, takes these chunks of it, and returns its token. */
async function begin(
  client: RawClient,
  chunks: number,
  { requestType = "on_worker", to = 5, name = "it", size = 0 } = {},
) {
  const args = { name, to, size };
  const request = { service: "counted", request_type: requestType, request_id: "a", args, window: 4, resume: true };
  client.send(["1", "2", "api:x", "api", request]);
  const { resume_token } = await next(client);
  for (let seq = 1; seq <= chunks; seq++) expect(await next(client)).toMatchObject({ seq });
  return resume_token;
}

async function resume(client: RawClient, resume_token: unknown, seq: number, topic = "api:x"): Promise<unknown> {
  client.send(["1", "7", topic, "resume", { request_id: "a", resume_token, seq }]);
  return (await client.reply("7"))[4];
}

const ok = { status: "ok", response: {} };
const refused = (reason: string) => ({ status: "error", response: { reason } });

describe.each(["on_worker", "on_main"])("a stream %s whose socket is gone", (requestType) => {
  test("goes on where its client's next socket wants it to", async () => {
    const gateway = await start();
    const first = await connect(gateway, { userId: "u1" });
    const token = await begin(first, 2, { requestType });
    const detached = nextEvent("stream.detach");
    first.socket.terminate();
    await detached;
    expect(gateway.diagnostics.statistics().streams).toMatchObject({ open: 1, detached: 1 });
    const second = await connect(gateway, { userId: "u1" });
    expect(await resume(second, token, 2)).toEqual(ok);
    for (const seq of [3, 4]) expect(await next(second)).toMatchObject({ seq, result: seq });
    second.send(["1", null, "api:x", "ack", { request_id: "a", seq: 4 }]);
    expect(await next(second)).toMatchObject({ seq: 5, result: 5 });
    expect(await next(second)).toMatchObject({ seq: 6, result: null, has_more: false });
    second.send(["1", "8", "api:x", "ack", { request_id: "a", seq: 6 }]);
    expect((await second.reply("8"))[4]).toEqual(ok);
    expect(await resume(second, token, 6)).toEqual(refused("not_found"));
    expect(gateway.diagnostics.statistics().streams).toMatchObject({ open: 0, detached: 0, keptBytes: 0 });
  });
});

test("a stream of a service node outlives its client's socket", async () => {
  const gateway = await startGateway({ name: "far@127.0.0.1" });
  const pushed = nextEvent("config.push", ({ metadata }) => metadata.gateway === "far@127.0.0.1");
  await startNode([gateway], { name: "node@127.0.0.1", service: "counted", functions: [service] });
  await pushed;
  const first = await connect(gateway);
  const token = await begin(first, 1);
  first.socket.terminate();
  const second = await connect(gateway);
  expect(await resume(second, token, 1)).toEqual(ok);
  for (const seq of [2, 3, 4]) expect(await next(second)).toMatchObject({ seq });
});

test("a stream goes on on a channel of another event, reply mode and version of frames", async () => {
  const gateway = await start();
  const first = await connect(gateway);
  const token = await begin(first, 4);
  first.socket.terminate();
  const second = await connectRaw(`${urlOf(gateway)}/websocket?vsn=1.0.0`);
  clients.push(second);
  const payload = { request_id: "a", resume_token: token, seq: 2 };
  second.send({ topic: "other:x", event: "phx_join", ref: "1", payload: {} });
  second.send({ topic: "other:x", event: "resume", ref: "7", payload });
  await until(() => second.frames.length === 4);
  expect(second.frames).toMatchObject([
    { event: "phx_reply", ref: "1", payload: ok },
    { event: "phx_reply", ref: "7", payload: ok },
    { event: "call", ref: null, payload: { seq: 3 } },
    { event: "call", ref: null, payload: { seq: 4 } },
  ]);
});

test("a stream moves from a socket that seems alive; that socket's other calls go on", async () => {
  const gateway = await start();
  const first = await connect(gateway, { userId: "u1" });
  const token = await begin(first, 4);
  const second = await connect(gateway, { userId: "u1" });
  expect(await resume(second, token, 4)).toEqual(ok);
  second.send(["1", null, "api:x", "ack", { request_id: "a", seq: 4 }]);
  expect(await next(second)).toMatchObject({ seq: 5 });
  first.send(["1", "9", "api:x", "stop_stream", { request_id: "a" }]);
  expect((await first.reply("9"))[4]).toEqual(refused("not_found"));
  const echo = { service: "counted", request_type: "echo", request_id: "e", args: { msg: 1 } };
  first.send(["1", "10", "api:x", "api", echo]);
  expect(await next(first)).toMatchObject({ request_id: "e" });
  expect(first.frames.filter(isResponse("api"))).toEqual([]);
});

test("a channel that crashes, and one that is joined again, keep their streams; one that is left does not", async () => {
  const gateway = await start();
  const client = await connect(gateway);
  const token = await begin(client, 1);
  client.send(["1", "3", "api:x", "nonsense", {}]);
  await client.next((frame) => frame[3] === "phx_error");
  expect(await client.join("api:x", "20")).toEqual(ok);
  client.send(["20", "7", "api:x", "resume", { request_id: "a", resume_token: token, seq: 1 }]);
  expect((await client.reply("7"))[4]).toEqual(ok);
  expect(await next(client)).toMatchObject({ seq: 2 });
  expect(await client.join("api:x", "30")).toEqual(ok);
  client.send(["30", "7", "api:x", "resume", { request_id: "a", resume_token: token, seq: 2 }]);
  expect((await client.reply("7"))[4]).toEqual(ok);
  client.send(["30", "40", "api:x", "phx_leave", {}]);
  await client.reply("40");
  expect(await client.join("api:x", "1")).toEqual(ok);
  expect(await resume(client, token, 2)).toEqual(refused("not_found"));
  expect(gateway.diagnostics.statistics().streams).toMatchObject({ open: 0, detached: 0, keptBytes: 0 });
});

test("another user, and a user who guesses, learn nothing", async () => {
  const gateway = await start();
  const first = await connect(gateway, { userId: "u1" });
  const token = (await begin(first, 1)) as string;
  const other = await connect(gateway, { userId: "u2" });
  expect(await resume(other, token, 1)).toEqual(refused("not_found"));
  expect(await resume(other, `${token.slice(0, -1)}x`, 1)).toEqual(refused("not_found"));
  expect(await resume(other, null, 1)).toEqual(refused("not_found"));
  const own = await connect(gateway, { userId: "u1" });
  expect(await resume(own, token, 99)).toEqual(refused("gap"));
  expect(await resume(own, token, 1)).toEqual(ok);
});

test("large chunks that were lost come at the pace of the new socket, which is not closed for them", async () => {
  const gateway = await start({ socket: { maxBufferedBytes: 1_000_000 } });
  const first = await connect(gateway);
  const token = await begin(first, 4, { size: 900_000 });
  first.socket.terminate();
  const second = await connect(gateway);
  expect(await resume(second, token, 0)).toEqual(ok);
  for (const seq of [1, 2, 3, 4]) expect(await next(second)).toMatchObject({ seq });
  second.send(["1", null, "api:x", "ack", { request_id: "a", seq: 4 }]);
  expect(await next(second)).toMatchObject({ seq: 5 });
});

test("a gateway that stops ends the streams whose clients are gone, and waits for no client", async () => {
  const gateway = await start();
  const first = await connect(gateway);
  await begin(first, 1, { to: 100 });
  const detached = nextEvent("stream.detach");
  first.socket.terminate();
  await detached;
  const stopped = nextEvent("stream.stop");
  const from = performance.now();
  await gateway.stop({ drainMs: 100_000 });
  expect((await stopped).metadata).toMatchObject({ error_code: "unavailable" });
  expect(performance.now() - from).toBeLessThan(50_000);
});

test("resume without a window, and of a wrong type, is an invalid request that names it", async () => {
  const gateway = await start();
  const client = await connect(gateway);
  const request = { service: "counted", request_type: "on_worker", request_id: "a", args: { name: "x", to: 1 } };
  client.send(["1", "2", "api:x", "api", { ...request, resume: true }]);
  expect((await client.reply("2"))[4]).toEqual({ status: "error", response: "resume requires a window" });
  client.send(["1", "3", "api:x", "api", { ...request, window: 2, resume: 1 }]);
  expect((await client.reply("3"))[4]).toEqual({
    status: "error",
    response: "resume must be a boolean or null, got number",
  });
});
