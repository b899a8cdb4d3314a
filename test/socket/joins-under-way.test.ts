import { describe, expect, test } from "vitest";
import { fakeConnection } from "./fake-connection.ts";

/** Channels whose joins are decided by the test. */
function openJoins(options: Parameters<typeof fakeConnection>[1] = {}) {
  const decide: ((reply: unknown) => void)[] = [];
  const join = () => new Promise((resolve) => decide.push(resolve));
  return { ...fakeConnection([{ topic: "api:*", event: "api", join }], options), decide };
}

const reply = (joinRef: unknown, ref: unknown, topic: string, status: string, response: unknown) => [
  joinRef,
  ref,
  topic,
  "phx_reply",
  { status, response },
];

describe("while a join is decided", () => {
  test("its client waits for joinTimeoutMs, and no timer is left however it ends", async () => {
    const { send, clock, decide, connection, received } = openJoins({ joinTimeoutMs: 1_000 });
    send("1", "1", "api:late", "phx_join", {});
    clock.advance(999);
    expect(await received()).toEqual([]);
    clock.advance(1);
    expect(await received()).toEqual([reply("1", "1", "api:late", "error", { reason: "join timed out" })]);
    send("2", "2", "api:in time", "phx_join", {});
    decide[1]?.({ welcome: true });
    expect(await received()).toEqual([reply("2", "2", "api:in time", "ok", { welcome: true })]);
    expect(clock.pending).toBe(0);
    send("3", "3", "api:never", "phx_join", {});
    connection.closed();
    expect(clock.pending).toBe(0);
  });

  test("messages for its topic wait, up to maxFrameBytes of all topics together, each with 1 024 beside its own", async () => {
    const size = (message: unknown) => JSON.stringify(message).length + 1_024;
    const [one, two, three] = ["a", "b", "b"].map((topic) => [null, "9", `api:${topic}`, "api", {}]) as [
      unknown[],
      unknown[],
      unknown[],
    ];
    const { send, decide, takenBack, memory, received } = openJoins({ maxFrameBytes: size(one) + size(two) });
    for (const topic of ["api:a", "api:b"]) send("1", "1", topic, "phx_join", {});
    const joins = memory.bytes;
    send(...one);
    send(...two);
    expect(await received()).toEqual([]);
    expect(memory.bytes - joins).toBe(size(one) + size(two));
    send(...three);
    const refused = { reason: "too many messages before the join was answered" };
    expect(await received()).toEqual([reply(null, "9", "api:b", "error", refused)]);
    decide[0]?.({});
    await received();
    expect(takenBack.map(({ data }) => JSON.parse(`${data}`))).toEqual([one]);
    send(...three);
    expect(await received()).toEqual([]);
    decide[1]?.({});
    await received();
    expect(takenBack).toHaveLength(3);
    expect(memory.bytes).toBe(0);
  });

  test("its payload counts, up to maxRequestBytesInFlight of all joins together; one may have more, alone", async () => {
    const payload = { text: "x".repeat(10_000) };
    const { send, decide, memory, received } = openJoins({ maxRequestBytesInFlight: 25_000 });
    send("1", "1", "api:1", "phx_join", payload);
    const weight = memory.bytes;
    expect(weight).toBeGreaterThan(10_000);
    send("2", "2", "api:2", "phx_join", payload);
    expect(memory.bytes).toBe(2 * weight);
    send("3", "3", "api:3", "phx_join", payload);
    const refused = { reason: "too many joins under way" };
    expect(await received()).toEqual([reply("3", "3", "api:3", "error", refused)]);
    decide[0]?.({});
    await received();
    expect(memory.bytes).toBe(weight);
    decide[1]?.({});
    await received();
    expect(memory.bytes).toBe(0);
    send("4", "4", "api:4", "phx_join", { text: "x".repeat(30_000) });
    expect(await received()).toEqual([]);
    decide[2]?.({});
    await received();
  });

  test("what it holds is given back when its socket goes", async () => {
    const { send, connection, memory, log, takenBack, decide, received } = openJoins();
    send("1", "1", "api:a", "phx_join", { text: "x".repeat(5_000) });
    send("1", "2", "api:a", "api", {});
    expect(memory.bytes).toBeGreaterThan(6_000);
    connection.closed();
    expect([memory.bytes, log]).toEqual([0, ["closed"]]);
    // What is decided later is nobody's any more.
    decide[0]?.({});
    expect(await received()).toEqual([]);
    expect([memory.bytes, takenBack]).toEqual([0, []]);
  });

  test("a gateway that drains refuses it, and every later one", async () => {
    const { send, connection, clock, decide, received } = openJoins();
    send("1", "1", "api:a", "phx_join", {});
    void connection.drain();
    const draining = { reason: "draining" };
    expect(await received()).toEqual([reply("1", "1", "api:a", "error", draining)]);
    send("2", "2", "api:b", "phx_join", {});
    expect(await received()).toEqual([reply("2", "2", "api:b", "error", draining)]);
    decide[0]?.({});
    expect(await received()).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe("as many topics as maxChannels", () => {
  test("may be joined, those under way counted; one that is left makes room", async () => {
    const { send, decide, received, channelsStarted } = openJoins({ maxChannels: 2 });
    send("1", "1", "api:1", "phx_join", {});
    send("2", "2", "api:2", "phx_join", {});
    send("3", "3", "api:3", "phx_join", {});
    const full = reply("3", "3", "api:3", "error", { reason: "too many channels joined" });
    expect(await received()).toEqual([full]);
    for (const each of decide) each({});
    await received();
    expect(channelsStarted.map(({ topic }) => topic)).toEqual(["api:1", "api:2"]);
    send("3", "3", "api:3", "phx_join", {});
    expect(await received()).toEqual([full]);
    // A topic that is joined takes no other place when it is joined again.
    send("4", "4", "api:2", "phx_join", {});
    decide[2]?.({});
    expect(await received()).toContainEqual(reply("4", "4", "api:2", "ok", {}));
    send("4", "5", "api:2", "phx_leave", {});
    send("3", "6", "api:3", "phx_join", {});
    decide[3]?.({});
    expect(await received()).toContainEqual(reply("3", "6", "api:3", "ok", {}));
  });
});

test("A channel's client is nobody where connect gave it no user id, or an empty one", () => {
  for (const [assigns, userId] of [
    [{}, null],
    [{ userId: null }, null],
    [{ userId: "" }, null],
    [{ userId: "0" }, "0"],
  ] as const) {
    const { send, channelsStarted } = fakeConnection(undefined, {}, assigns);
    send("1", "1", "api:a", "phx_join", {});
    expect(channelsStarted[0]).toMatchObject({ userId, deviceId: null, userRoles: [] });
  }
});

test("An id of a channel that is gone, or of another join of its topic, finds none", async () => {
  const { send, connection, channelsStarted } = fakeConnection();
  send("1", "1", "api:a#b", "phx_join", {});
  send("2", "2", "api:a#b", "phx_join", {});
  const [first, second] = channelsStarted;
  expect([first?.id, second?.id]).toEqual(["api:a#b#1", "api:a#b#2"]);
  expect(connection.topics.channelOf("api:a#b#1")).toBeUndefined();
  expect(connection.topics.channelOf("api:a#b#2")).toBe(second);
  send("2", "3", "api:a#b", "phx_leave", {});
  expect(connection.topics.channelOf("api:a#b#2")).toBeUndefined();
});
