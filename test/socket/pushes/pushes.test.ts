import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { type Gateway, type GatewayOptions, GenApiError, startGenApi } from "gen-api";
import { Socket } from "phoenix";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { keep } from "../../support/cluster.ts";
import { urlOf } from "../../support/gateway.ts";
import { connectRaw, type RawClient } from "../../support/network/raw-client.ts";
import { recordEvents } from "../../support/record-events.ts";

const options: GatewayOptions = {
  logger: false,
  listen: { port: 0 },
  socket: { connect: ({ params }) => ({ userId: String(params.user ?? ""), id: `session:${params.user}` }) },
  channels: [{ topic: "room:*", event: "api" }, { topic: "api" }],
  workerPool: { threads: 1 },
};

const start = async (): Promise<Gateway> => keep(await startGenApi(options));

const open = (gateway: Gateway, user: string, vsn = "2.0.0") =>
  connectRaw(`${urlOf(gateway)}/websocket?vsn=${vsn}&user=${user}`);

async function member(gateway: Gateway, user: string, ...topics: string[]): Promise<RawClient> {
  const client = await open(gateway, user);
  for (const [index, topic] of topics.entries()) await client.join(topic, `${index + 1}`);
  return client;
}

/** The frames of pushes that a client has once everything before has come. */
async function pushed(gateway: Gateway, client: RawClient): Promise<unknown[]> {
  while (gateway.diagnostics.statistics().pushes.waiting.count > 0) await turn();
  // Their frames leave at the end of their turn, before the answer to what is sent now.
  await client.settled();
  return client.frames.splice(0);
}

function codeOf(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(GenApiError);
    const { code, message } = error as GenApiError;
    return { code, message };
  }
  throw new Error("It was not refused");
}

describe("a broadcast", () => {
  test("reaches everybody who has joined the topic, and nobody else", async () => {
    const gateway = await start();
    const [ada, ben, cyd] = [
      await member(gateway, "ada", "room:1"),
      await member(gateway, "ben", "room:2", "room:1"),
      await member(gateway, "cyd", "room:2"),
    ];
    gateway.broadcast("room:1", "note", { text: "hällo 👋", n: 1 });
    const frame = [null, null, "room:1", "note", { text: "hällo 👋", n: 1 }];
    expect(await pushed(gateway, ada)).toEqual([frame]);
    expect(await pushed(gateway, ben)).toEqual([frame]);
    expect(await pushed(gateway, cyd)).toEqual([]);
  });

  test("comes in the frames of the client's own version of the protocol", async () => {
    const gateway = await start();
    const old = new WebSocket(`${urlOf(gateway)}/websocket?vsn=1.0.0&user=old`);
    const frames: unknown[] = [];
    old.on("message", (data) => frames.push(JSON.parse(String(data))));
    await once(old, "open");
    old.send(JSON.stringify({ topic: "room:1", event: "phx_join", payload: {}, ref: "1" }));
    await once(old, "message");
    const client = await member(gateway, "new", "room:1");
    const [came] = [once(old, "message"), gateway.broadcast("room:1", "note", { n: 1 })];
    await came;
    expect(frames.at(-1)).toEqual({ topic: "room:1", event: "note", payload: { n: 1 }, ref: null });
    expect(await pushed(gateway, client)).toEqual([[null, null, "room:1", "note", { n: 1 }]]);
    old.terminate();
  });

  test("reaches the listeners of the official client", async () => {
    const gateway = await start();
    const socket = new Socket(urlOf(gateway), { transport: WebSocket as never, params: { user: "x" } });
    socket.connect();
    const channel = socket.channel("room:1");
    await new Promise((resolve) => channel.join().receive("ok", resolve));
    const came = Promise.all(
      ["note", "mail"].map((event) => new Promise((resolve) => channel.on(event, (payload) => resolve(payload)))),
    );
    gateway.broadcast("room:1", "note", { n: 1 });
    gateway.push({ userId: "x" }, "mail", { n: 2 });
    expect(await came).toEqual([{ n: 1 }, { n: 2 }]);
    await new Promise<void>((resolve) => socket.disconnect(() => resolve()));
  });

  test("leaves out the sockets of `except`, by user and by id", async () => {
    const gateway = await start();
    const [ada, tablet, ben] = [
      await member(gateway, "ada", "room:1"),
      await member(gateway, "ada", "room:1"),
      await member(gateway, "ben", "room:1"),
    ];
    gateway.broadcast("room:1", "typing", undefined, { except: { userId: "ada" } });
    gateway.broadcast("room:1", "typing", 2, { except: { id: "session:ben" } });
    expect(await pushed(gateway, ben)).toEqual([[null, null, "room:1", "typing", {}]]);
    for (const client of [ada, tablet]) {
      expect(await pushed(gateway, client)).toEqual([[null, null, "room:1", "typing", 2]]);
    }
  });

  test("keeps the order of one topic among thousands, though they are sent in many turns", async () => {
    const gateway = await start();
    const clients = await Promise.all(Array.from({ length: 20 }, () => member(gateway, "x", "room:1")));
    for (let n = 0; n < 2_000; n++) gateway.broadcast("room:1", "n", n);
    for (const client of clients) {
      const frames = (await pushed(gateway, client)) as unknown[][];
      expect(frames.map((frame) => frame[4])).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
    }
  });

  test("does not reach a client that left, crashed or closed before its turn, and no stranger hears of it", async () => {
    const gateway = await start();
    const [leaving, crashing, staying] = [
      await member(gateway, "a", "room:1"),
      await member(gateway, "b", "room:1"),
      await member(gateway, "c", "room:1"),
    ];
    leaving.send(["1", "9", "room:1", "phx_leave", {}]);
    await leaving.reply("9");
    crashing.send(["1", "9", "room:1", "unknown event", {}]);
    await crashing.next((frame) => frame[3] === "phx_error");
    gateway.broadcast("room:1", "note");
    expect(await pushed(gateway, staying)).toHaveLength(1);
    expect(await pushed(gateway, crashing)).toEqual([]);
    expect(((await pushed(gateway, leaving)) as unknown[][]).map((frame) => frame[3])).toEqual(["phx_close"]);
  });

  test("costs a reader that stopped its socket, and the others nothing", async () => {
    const gateway = await start();
    const [stopped, reading] = [await member(gateway, "a", "room:1"), await member(gateway, "b", "room:1")];
    stopped.socket.pause();
    let sent = 0;
    const text = "x".repeat(500_000);
    while (gateway.diagnostics.statistics().connections.open > 1) {
      gateway.broadcast("room:1", "blob", { n: sent++, text });
      expect(((await pushed(gateway, reading)) as unknown[][]).map((frame) => (frame[4] as { n: number }).n)).toEqual([
        sent - 1,
      ]);
    }
    stopped.socket.resume();
    expect((await stopped.closed).code).not.toBe(1000);
  });

  test("is counted, and refused in words when too much waits to be sent", async () => {
    const gateway = await start();
    using events = recordEvents("push.send", "push.refuse");
    const client = await member(gateway, "a", "room:1");
    gateway.broadcast("room:1", "note", { a: 1 });
    await pushed(gateway, client);
    const text = "x".repeat(1_000_000);
    let taken = 0;
    const refusal = codeOf(() => {
      for (; ; taken++) gateway.broadcast("room:1", "blob", text);
    });
    expect(taken).toBeGreaterThan(10);
    expect(refusal.code).toBe("unavailable");
    expect(refusal.message).toMatch(/^broadcast: too much waits to be sent: \d+ pushes of \d+ bytes/);
    // Other topics have room of their own.
    gateway.broadcast("room:2", "note");
    expect(gateway.diagnostics.statistics().pushes).toMatchObject({ accepted: taken + 2, refused: 1, deliveries: 1 });
    expect(events.messages.map(({ event, metadata }) => [event, metadata])).toEqual([
      ["push.send", { gateway: gateway.name, kind: "broadcast", topic: "room:1", push_event: "note" }],
      ["push.refuse", { gateway: gateway.name, kind: "broadcast", topic: "room:1", push_event: "blob" }],
    ]);
  });
});

describe("a push", () => {
  test("reaches every socket of a user once, on the topic that it joined first, with its join_ref", async () => {
    const gateway = await start();
    const [phone, tablet, idle, other] = [
      await member(gateway, "ada", "room:1", "room:2"),
      await member(gateway, "ada", "room:2", "room:1"),
      await open(gateway, "ada"),
      await member(gateway, "ben", "room:1"),
    ];
    gateway.push({ userId: "ada" }, "export_ready", { url: "/1" });
    expect(await pushed(gateway, phone)).toEqual([["1", null, "room:1", "export_ready", { url: "/1" }]]);
    expect(await pushed(gateway, tablet)).toEqual([["1", null, "room:2", "export_ready", { url: "/1" }]]);
    expect(await pushed(gateway, idle)).toEqual([]);
    expect(await pushed(gateway, other)).toEqual([]);
  });

  test("goes to a topic, or to the first of those that match a pattern", async () => {
    const gateway = await start();
    const client = await member(gateway, "ada", "api", "room:1", "room:2");
    gateway.push({ id: "session:ada" }, "n", 1, { topic: "room:2" });
    gateway.push({ id: "session:ada" }, "n", 2, { topic: "room:*" });
    gateway.push({ id: "session:ada" }, "n", 3, { topic: "room:none" });
    gateway.push({ userId: "nobody" }, "n", 4);
    const frames = (await pushed(gateway, client)) as unknown[][];
    expect(frames.map((frame) => [frame[0], frame[2], frame[4]]).sort()).toEqual([
      ["2", "room:1", 2],
      ["3", "room:2", 1],
    ]);
  });

  test("on a topic keeps its place among the broadcasts of that topic", async () => {
    const gateway = await start();
    const client = await member(gateway, "ada", "room:1");
    for (let n = 0; n < 100; n += 2) {
      gateway.broadcast("room:1", "n", n);
      gateway.push({ userId: "ada" }, "n", n + 1, { topic: "room:1" });
    }
    const frames = (await pushed(gateway, client)) as unknown[][];
    expect(frames.map((frame) => frame[4])).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });
});

describe("what is wrong is refused at once, and sends nothing", () => {
  let gateway: Gateway;
  let client: RawClient;
  beforeAll(async () => {
    gateway = await startGenApi(options);
    client = await member(gateway, "a", "room:1");
  });
  afterAll(() => gateway.stop());

  const ring: { self?: object } = {};
  ring.self = ring;
  test.each<[string, (gateway: Gateway) => unknown, string, RegExp]>([
    ["a topic of no channel", (g) => g.broadcast("lobby", "e"), "not_found", /no channel .* "lobby"/],
    ["a topic that is no text", (g) => g.broadcast(5 as never, "e"), "invalid_option", /topic must be a text .* got 5/],
    ["an endless topic", (g) => g.broadcast(`room:${"x".repeat(5_000)}`, "e"), "invalid_option", /at most 1024/],
    [
      "an event of Phoenix",
      (g) => g.broadcast("room:1", "phx_reply"),
      "invalid_option",
      /event must be .* "phx_reply"/,
    ],
    ["an event about requests", (g) => g.push({ id: "a" }, "ack"), "invalid_option", /event must be .* "ack"/],
    ["the channel's own event", (g) => g.broadcast("room:1", "api"), "invalid_option", /event must be .* "api"/],
    ["the event of any channel", (g) => g.push({ id: "a" }, "phoenix_gen_api"), "invalid_option", /event must be/],
    ["no event", (g) => g.push({ id: "a" }, "" as never), "invalid_option", /event must be/],
    [
      "a payload with a Map",
      (g) => g.broadcast("room:1", "e", { a: new Map() }),
      "invalid_option",
      /payload's "a" is a Map/,
    ],
    ["a payload with a BigInt", (g) => g.broadcast("room:1", "e", 1n), "invalid_option", /payload is a BigInt/],
    ["a ring", (g) => g.broadcast("room:1", "e", ring), "invalid_option", /circular/],
    ["a payload over the limit", (g) => g.push({ id: "a" }, "e", "x".repeat(2e6)), "invalid_option", /at most 1048576/],
    [
      "a payload that throws",
      (g) =>
        g.push({ id: "a" }, "e", {
          toJSON() {
            throw new Error("no");
          },
        }),
      "invalid_option",
      /no/,
    ],
    [
      "no target",
      (g) => g.push(null as never, "e"),
      "invalid_option",
      /target must be \{id\} or \{userId\} .* got null/,
    ],
    [
      "two targets",
      (g) => g.push({ id: "a", userId: "b" } as never, "e"),
      "invalid_option",
      /got id "a" and userId "b"/,
    ],
    ["an empty target", (g) => g.push({ userId: "" }, "e"), "invalid_option", /got id nothing and userId ""/],
    ["a wrong pattern", (g) => g.push({ id: "a" }, "e", 1, { topic: "a*b" }), "invalid_option", /only "\*"/],
    [
      "a wrong except",
      (g) => g.broadcast("room:1", "e", 1, { except: "ada" as never }),
      "invalid_option",
      /except must be/,
    ],
  ])("%s", async (_name, run, code, message) => {
    const refusal = codeOf(() => run(gateway));
    expect(refusal.code).toBe(code);
    expect(refusal.message).toMatch(message);
    expect(await pushed(gateway, client)).toEqual([]);
  });
});
