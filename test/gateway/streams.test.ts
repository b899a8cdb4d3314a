import { type Gateway, type GatewayOptions, startGenApi } from "gen-api";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AnyActorRef } from "xstate";
import { kill } from "../../dist/actor/lifecycle/exit.js";
import service from "../fixtures/streams/streams.js";
import { urlOf } from "../support/gateway.ts";
import { named, watchActors } from "../support/living-actors.ts";
import { connectRaw, type Frame, type RawClient } from "../support/network/raw-client.ts";
import { Notes } from "../support/notes.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const { inspect, living } = watchActors();

function startStreams(options: GatewayOptions = {}) {
  return startGenApi({
    logger: false,
    listen: { port: 0 },
    channels: [{ topic: "api:*", event: "api" }],
    functions: [service],
    workerPool: { threads: 2 },
    intensity: { maxRestarts: 1_000, withinMs: 1_000 },
    inspect,
    ...options,
  });
}

let gateway: Gateway;
let notes: Notes;
let client: RawClient;
beforeAll(async () => {
  gateway = await startStreams();
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  notes = new Notes();
  client = await connect();
});
afterEach(async () => {
  await client.close();
  notes[Symbol.dispose]();
});

async function connect(to: Gateway = gateway): Promise<RawClient> {
  const connected = await connectRaw(`${urlOf(to)}/websocket?vsn=2.0.0`);
  await connected.join("api:x", "1");
  return connected;
}

interface WireResponse {
  readonly request_id: string;
  readonly result: unknown;
  readonly success: boolean;
  readonly has_more: boolean;
}

const responseOf = (frame: Frame): WireResponse | null => (frame[3] === "api" ? (frame[4] as WireResponse) : null);
const numbers = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

/** A request's ref is its id: what belongs to it can be told from all else. */
function start(id: string, requestType: string, args: object = {}, by = client): void {
  by.send(["1", id, "api:x", "api", { service: "streams", request_type: requestType, request_id: id, args }]);
}

const about = (id: string) => (frame: Frame) => frame[1] === id || responseOf(frame)?.request_id === id;
const isChunk = (id: string) => (frame: Frame) => {
  const response = responseOf(frame);
  return response?.request_id === id && response.has_more && response.result !== "init";
};

/** Every frame of a request, up to its final Response. */
async function framesOf(id: string, by = client): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (;;) {
    const frame = await by.next(about(id));
    frames.push(frame);
    if (responseOf(frame)?.has_more === false) return frames;
  }
}

/** Nothing of this request comes any more. */
async function expectSilence(id: string, by = client): Promise<void> {
  start(`after ${id}`, "worker_generator", { to: 1 }, by);
  await framesOf(`after ${id}`, by);
  await by.settled();
  expect(by.frames.filter(about(id))).toEqual([]);
}

// The frames, as clients see them.
const push = (response: object): Frame => ["1", null, "api:x", "api", response];
const success = (id: string, result: unknown, has_more: boolean) =>
  push({ request_id: id, result, success: true, error: null, async: true, has_more, can_retry: false });
const failure = (id: string, error_code: string, error: string, can_retry: boolean, more: object = {}) =>
  push({
    request_id: id,
    result: null,
    success: false,
    error,
    async: false,
    has_more: false,
    can_retry,
    error_code,
    ...more,
  });
const reply = (ref: string, response: unknown, status = "ok"): Frame => [
  "1",
  ref,
  "api:x",
  "phx_reply",
  { status, response },
];
const begin = (id: string, requestType: string) => [success(id, "init", true), reply(id, requestType)];
const chunk = (id: string, result: unknown) => success(id, result, true);
const end = (id: string, result: unknown = null) => success(id, result, false);
const soldOut = (id: string) => failure(id, "failed", "Nothing left", true, { reason: "sold_out" });
const unavailable = (id: string) => failure(id, "unavailable", "Service temporarily unavailable", true);
const internal = (id: string) => failure(id, "internal", "Internal Server Error", false);
const timeout = (id: string) => failure(id, "timeout", "Request timed out after 1000 ms", true);

describe.each(["worker", "main"])("on the %s thread, a stream", (runOn) => {
  const sources = ["generator", "async_generator", "iterable", "readable", "writer", "ready_writer"];

  test.each(sources)("of a function of the kind %s is init with its reply, the chunks, an end", async (name) => {
    const requestType = `${runOn}_${name}`;
    start("a", requestType, { to: 500 });
    expect(await framesOf("a")).toEqual([
      ...begin("a", requestType),
      ...numbers(500).map((n) => chunk("a", n)),
      end("a"),
    ]);
    await expectSilence("a");
  });

  test.each([
    ["last_result", [chunk("a", 1), end("a", { last: true })]],
    ["complete_from_timer", [chunk("a", 1), end("a")]],
    ["error", [chunk("a", 1), soldOut("a")]],
    ["fault", [chunk("a", 1), internal("a")]],
    ["throws", [chunk("a", 1), soldOut("a")]],
    ["throws_at_once", [internal("a")]],
    ["no_stream", [internal("a")]],
    ["empty", [end("a")]],
    ["undefined_chunk", [chunk("a", null), end("a")]],
  ])("that ends by %s has one end", async (name, rest) => {
    const requestType = `${runOn}_${name}`;
    start("a", requestType);
    expect(await framesOf("a")).toEqual([...begin("a", requestType), ...rest]);
    await expectSilence("a");
  });

  const endless = ["ticks", "flood", "async_flood", "writer_flood", "open_readable", "open_writer"];

  test.each(endless)(
    "that its client stops (%s): the reply, then the end, no chunk between or after them, and its function ends",
    async (name) => {
      start("a", `${runOn}_${name}`, { name: "it" });
      await client.next(isChunk("a"));
      client.send(["1", "stop", "api:x", "stop_stream", { request_id: "a" }]);
      const frames: Frame[] = [];
      do frames.push(await client.next());
      while (responseOf(frames.at(-1) as Frame)?.has_more !== false);
      expect(frames.slice(-2)).toEqual([reply("stop", {}), end("a")]);
      await notes.next("it ended");
      await expectSilence("a");
      client.send(["1", "again", "api:x", "stop_stream", { request_id: "a" }]);
      expect(await client.reply("again")).toEqual(reply("again", { reason: "not_found" }, "error"));
    },
  );

  test("that is stopped before it has begun ends all the same", async () => {
    start("a", `${runOn}_ticks`, { name: "it" });
    client.send(["1", "stop", "api:x", "stop_stream", { request_id: "a" }]);
    const frames = await framesOf("a");
    expect(frames.slice(0, 2)).toEqual(begin("a", `${runOn}_ticks`));
    expect(frames.at(-1)).toEqual(end("a"));
    await expectSilence("a");
  });

  test("ends with its client's cancel, as `cancelled`", async () => {
    start("a", `${runOn}_ticks`, { name: "it" });
    await client.next(isChunk("a"));
    client.send(["1", "c", "api:x", "cancel", { request_id: "a" }]);
    expect((await framesOf("a")).at(-1)).toEqual(failure("a", "cancelled", "Request cancelled", true));
    await notes.next("it ended");
  });

  test("ends when its client leaves, without a word more", async () => {
    start("a", `${runOn}_ticks`, { name: "it" });
    await client.next(isChunk("a"));
    client.send(["1", "leave", "api:x", "phx_leave", {}]);
    await notes.next("it ended");
    await client.reply("leave");
    await client.next((frame) => frame[3] === "phx_close");
    client.frames.length = 0;
    await client.settled();
    expect(client.frames).toEqual([]);
  });

  test.each(endless)("ends when its client's socket goes (%s), and others go on", async (name) => {
    const other = await connect();
    start("a", `${runOn}_${name}`, { name: "lost" }, other);
    start("b", `${runOn}_until_told`, { name: "kept" });
    await Promise.all([other.next(isChunk("a")), client.next(isChunk("b"))]);
    other.socket.terminate();
    await notes.next("lost ended");
    notes.tell("end kept");
    expect((await framesOf("b")).slice(-2)).toEqual([chunk("b", 2), end("b")]);
  });

  test("whose function hangs ends with one timeout, and its signal aborts", async () => {
    start("a", `${runOn}_hangs`, { name: "it" });
    expect(await framesOf("a")).toEqual([...begin("a", `${runOn}_hangs`), chunk("a", 1), timeout("a")]);
    await notes.next("it timeout");
    await expectSilence("a");
  });

  test("under a request_id that a live one has is refused, not under that id, and the live one goes on", async () => {
    start("a", `${runOn}_until_told`, { name: "first" });
    for (const frame of [...begin("a", `${runOn}_until_told`), chunk("a", 1)])
      expect(await client.next()).toEqual(frame);
    start("a", `${runOn}_generator`, { to: 3 });
    const problem = 'A stream with request_id "a" is live on this channel';
    const refused = failure("unknown", "invalid_request", `Invalid request: ${problem}`, false);
    expect(await client.next()).toEqual(refused);
    expect(await client.reply("a")).toEqual(reply("a", problem, "error"));
    notes.tell("end first");
    expect(await framesOf("a")).toEqual([chunk("a", 2), end("a")]);
    start("a", `${runOn}_generator`, { to: 1 });
    expect(await framesOf("a")).toEqual([...begin("a", `${runOn}_generator`), chunk("a", 1), end("a")]);
  });

  test("interleaves with another one, and with calls", async () => {
    start("a", `${runOn}_flood`, { name: "a" });
    start("b", `${runOn}_flood`, { name: "b" });
    for (let round = 0; round < 5; round++) {
      await client.next(isChunk("a"));
      await client.next(isChunk("b"));
      start(`echo ${round}`, "echo", { msg: round });
      expect((await framesOf(`echo ${round}`)).at(0)).toMatchObject({ 4: { result: round } });
      client.frames.length = 0;
    }
    for (const id of ["a", "b"]) {
      client.send(["1", `stop ${id}`, "api:x", "stop_stream", { request_id: id }]);
      expect((await framesOf(id)).at(-1)).toEqual(end(id));
      await notes.next(`${id} ended`);
    }
  });
});

describe("a thread", () => {
  test("that dies ends its streams with one failed Response each, after their chunks; the other thread's go on", async () => {
    start("a", "worker_until_told", { name: "mine" });
    await client.next(isChunk("a"));
    start("b", "worker_exits", { to: 3 });
    expect(await framesOf("b")).toEqual([
      ...begin("b", "worker_exits"),
      ...numbers(3).map((n) => chunk("b", n)),
      unavailable("b"),
    ]);
    notes.tell("end mine");
    expect(await framesOf("a")).toEqual([...begin("a", "worker_until_told"), chunk("a", 2), end("a")]);
    await expectSilence("b");
  });

  test("that a stream holds for ever is replaced after the stream's one timeout", async () => {
    // A gateway of its own: with so little grace a busy machine replaces threads that others wait for.
    await using impatient = await startStreams({ workerPool: { threads: 1, wedgeGraceMs: 400 } });
    const by = await connect(impatient);
    start("a", "worker_loops", {}, by);
    expect(await framesOf("a", by)).toEqual([...begin("a", "worker_loops"), chunk("a", 1), timeout("a")]);
    // The only thread: who is answered runs on the next.
    start("b", "worker_generator", { to: 1 }, by);
    expect((await framesOf("b", by)).at(-1)).toEqual(end("b"));
    await expectSilence("a", by);
    await by.close();
  });
});

describe("the actor of a stream", () => {
  const isStream = ({ id }: AnyActorRef) => /^stream_\d+$/.test(id);

  test.each(["worker", "main"])(
    "that is killed tells the client once, ends its function (%s), and the others go on",
    async (runOn) => {
      start("a", `${runOn}_ticks`, { name: "a" });
      await client.next(isChunk("a"));
      const [victim] = living(isStream);
      start("b", `${runOn}_until_told`, { name: "b" });
      await client.next(isChunk("b"));
      kill(victim as AnyActorRef);
      expect((await framesOf("a")).at(-1)).toEqual(unavailable("a"));
      await notes.next("a ended");
      notes.tell("end b");
      expect((await framesOf("b")).slice(-2)).toEqual([chunk("b", 2), end("b")]);
      await expectSilence("a");
      expect(living(isStream)).toEqual([]);
    },
  );

  test.each(["stream_pool", "streams"])("loses its %s: exactly one end, and the next streams work", async (name) => {
    start("a", "worker_ticks", { name: "a" });
    start("b", "main_ticks", { name: "b" });
    await Promise.all([client.next(isChunk("a")), client.next(isChunk("b"))]);
    kill(living(named(name))[0] as AnyActorRef);
    expect((await framesOf("a")).at(-1)).toEqual(unavailable("a"));
    if (name === "stream_pool") {
      await client.next(isChunk("b"));
      client.send(["1", "stop", "api:x", "stop_stream", { request_id: "b" }]);
    }
    expect((await framesOf("b")).at(-1)).toEqual(name === "streams" ? unavailable("b") : end("b"));
    await notes.next("b ended");
    await expectSilence("a");
    await expectSilence("b");
  });
});

test("a gateway that stops lets its streams end within drainMs, and ends the others as `unavailable`", async () => {
  const clock = new SimulatedClock();
  const stopping = await startStreams({ clock });
  const by = await connect(stopping);
  start("a", "worker_until_told", { name: "a" }, by);
  start("b", "worker_ticks", { name: "b" }, by);
  await Promise.all([by.next(isChunk("a")), by.next(isChunk("b"))]);
  const stopped = stopping.stop({ drainMs: 500 });
  notes.tell("end a");
  // Answers of a channel that drains have no join_ref.
  const drained = ([, ...frame]: Frame) => [null, ...frame];
  expect((await framesOf("a", by)).slice(-2)).toEqual([chunk("a", 2), end("a")].map(drained));
  expect((await clock.passUntil(framesOf("b", by))).at(-1)).toEqual(drained(unavailable("b")));
  await clock.passUntil(stopped);
  expect((await by.closed).code).toBe(1012);
});

test("a stream pool that is full refuses the next stream with one Response and its reply", async () => {
  await using small = await startStreams({ workerPool: { threads: 1, streamPoolSize: 1, maxQueueSize: 1 } });
  const by = await connect(small);
  start("a", "worker_until_told", { name: "a" }, by);
  await by.next(isChunk("a"));
  start("b", "worker_generator", { to: 2 }, by);
  start("c", "worker_generator", { to: 2 }, by);
  expect(await framesOf("c", by)).toEqual([unavailable("c")]);
  expect(await by.reply("c")).toEqual(reply("c", "worker_generator"));
  notes.tell("end a");
  await framesOf("a", by);
  expect(await framesOf("b", by)).toEqual([...begin("b", "worker_generator"), chunk("b", 1), chunk("b", 2), end("b")]);
  await by.close();
});

describe("the official Phoenix client", () => {
  test("gets a stream's chunks, and stops another", async () => {
    await using official = await connectClient(urlOf(gateway));
    const { channel } = official;
    const came: WireResponse[] = [];
    let look = (): void => undefined;
    channel.on("api", (response: WireResponse) => {
      came.push(response);
      look();
    });
    const until = (holds: () => boolean) =>
      new Promise<void>((resolve) => {
        look = () => {
          if (holds()) resolve();
        };
        look();
      });
    const request = (requestType: string, args: object) => ({
      service: "streams",
      request_type: requestType,
      request_id: requestType,
      args,
    });
    channel.push("api", request("worker_generator", { to: 3 }));
    await until(() => came.at(-1)?.has_more === false);
    expect(came.map(({ result }) => result)).toEqual(["init", 1, 2, 3, null]);

    came.length = 0;
    channel.push("api", request("worker_ticks", { name: "official" }));
    await until(() => came.length > 2);
    const stopped = new Promise((resolve) =>
      channel.push("stop_stream", { request_id: "worker_ticks" }).receive("ok", resolve),
    );
    expect(await stopped).toEqual({});
    await until(() => came.at(-1)?.has_more === false);
    expect(came.at(-1)).toMatchObject({ success: true, result: null, async: true });
    await notes.next("official ended");
  });
});
