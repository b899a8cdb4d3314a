import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { libraryError } from "../../src/core/errors.ts";
import type { RemoteCall } from "../../src/node/calls/remote-call.ts";
import type { GatewaySession, GatewaySessionHost } from "../../src/node/gateway-session.ts";
import type { NodeSessionHost } from "../../src/node/node-session.ts";
import * as codec from "../../src/node/wire/frame-codec.ts";
import { heartbeat } from "../../src/node/wire/heartbeat.ts";
import {
  fromNode,
  fromNodeLimits,
  maxAsks,
  maxCallsInFlight,
  maxDefinitions,
  toNode,
  toNodeLimits,
} from "../../src/node/wire/node-protocol.ts";
import { recordEvents } from "../support/record-events.ts";
import { SimulatedClock, settled } from "../support/simulated-clock.ts";
import { createManualPipe, type ManualPipe } from "./pipes.ts";
import { createCall, createGatewayHost, createNodeHost, createStream, ScriptedExecutor } from "./sessions.ts";

const { encodeEntry } = codec;
/** What a message of the gateway says. */
const decodeEntries = (message: Uint8Array) => codec.decodeEntries(message, toNodeLimits);

/** A gateway and a node that have greeted each other. */
async function open(gatewayOptions: Partial<GatewaySessionHost> = {}, nodeOptions: Partial<NodeSessionHost> = {}) {
  const clock = new SimulatedClock();
  const executor = new ScriptedExecutor();
  const gateway = createGatewayHost({ clock, ...gatewayOptions });
  const node = createNodeHost({ clock, executor, ...nodeOptions });
  const [gatewayPipe, nodePipe] = createManualPipe();
  gatewayPipe.receiver = gateway.connected(gatewayPipe);
  nodePipe.receiver = node.connected(nodePipe);
  /** Lets everything arrive that was said and that follows from it. */
  const pump = async () => {
    do await settled();
    while (gatewayPipe.deliver() + nodePipe.deliver() > 0);
  };
  await pump();
  const session = gateway.sessions[0] as GatewaySession;
  expect(session.state).toBe("up");
  return { clock, executor, gateway, node, gatewayPipe, nodePipe, pump, session, link: node.sessions[0] };
}

/** A call that a node has, whose id is therefore 0. */
async function openWithCall() {
  const opened = await open();
  const made = createCall();
  opened.session.run(made.call);
  await opened.pump();
  return { ...opened, ...made };
}

describe("a gateway", () => {
  const answers: [what: string, entry: unknown[]][] = [
    ["a result that is no text", [fromNode.result, 0, 1]],
    ["a result longer than allowed", [fromNode.result, 0, "x".repeat(8 * 1024 * 1024 + 1)]],
    ["a stream's chunk", [fromNode.chunk, 0, "1"]],
    ["a stream's end", [fromNode.end, 0, null]],
    ["an operation that there is not", [99, 0, "1"]],
    ["an empty entry's ask", [fromNode.ask, null, "leave", null]],
  ];
  for (const [what, entry] of answers) {
    test(`closes the session of a node that answers a call with ${what}; the call fails once`, async () => {
      const { nodePipe, pump, outcomes, gateway, clock } = await openWithCall();
      nodePipe.send(encodeEntry(entry));
      await pump();
      expect(outcomes).toMatchObject([{ code: "unavailable", begun: true }]);
      expect([gateway.downs.length, clock.pending]).toEqual([1, 0]);
    });
  }

  test("makes something of every failure that a node may send", async () => {
    for (const data of [
      null,
      1,
      "x",
      {},
      [],
      { kind: "failed" },
      { kind: "unavailable" },
      { kind: "internal", cause: 1 },
    ]) {
      const { nodePipe, pump, outcomes, session } = await openWithCall();
      nodePipe.send(encodeEntry([fromNode.failure, 0, data, "maybe"]));
      await pump();
      const [{ code }] = outcomes as unknown as [{ code: string }];
      expect([["internal", "unavailable"].includes(code), outcomes.length, session.state]).toEqual([true, 1, "up"]);
    }
    const { nodePipe, pump, outcomes } = await openWithCall();
    const failure = { kind: "failed", reason: "r", message: "m", canRetry: "yes", retryable: 1, cause: null };
    nodePipe.send(encodeEntry([fromNode.failure, 0, failure, true]));
    await pump();
    expect(outcomes).toMatchObject([{ code: "failed", error: { reason: "r", canRetry: false, retryable: false } }]);
  });

  test("does not mind an answer to a call that it has cancelled, or that has been answered", async () => {
    const { nodePipe, pump, session, executor } = await openWithCall();
    executor.calls[0]?.succeeded("1");
    await pump();
    session.run(createCall().call).cancel("cancelled");
    await pump();
    for (const id of [0, maxCallsInFlight]) {
      for (const operation of [fromNode.result, fromNode.failure, fromNode.chunk, fromNode.end]) {
        nodePipe.send(encodeEntry([operation, id, "1"]));
      }
    }
    await pump();
    expect([session.state, session.inFlight]).toEqual(["up", 0]);
  });

  const garbage: [what: string, entry: unknown[]][] = [
    ["nothing in an entry", []],
    ["an operation that there is not", [99, 0, "1"]],
    ["an operation that there is not, for no call", [99, 1, 2]],
    ["a negative operation", [-1]],
    ["a text as operation", ["hello"]],
    ...[1, maxCallsInFlight, -1, 0.5, null, "0", 2 ** 60].map((id): [string, unknown[]] => [
      `an answer to the call ${id}, which never was`,
      [fromNode.result, id, "1"],
    ]),
  ];
  for (const [what, entry] of garbage) {
    test(`closes the session of a node that sends ${what}`, async () => {
      const { nodePipe, pump, gateway, clock } = await openWithCall();
      nodePipe.send(encodeEntry(entry));
      await pump();
      expect([gateway.downs.length, clock.pending]).toEqual([1, 0]);
    });
  }

  const noJson = [
    "{not json",
    '1,"success":false,"error":"forged"',
    "",
    " ",
    "undefined",
    "NaN",
    '"',
    "1 2",
    "[1",
    "01",
  ];
  for (const text of noJson) {
    test(`fails a call that is answered with ${JSON.stringify(text)}, which is no JSON, and closes the session`, async () => {
      const { nodePipe, pump, outcomes, gateway } = await openWithCall();
      nodePipe.send(encodeEntry([fromNode.result, 0, text]));
      await pump();
      expect(outcomes).toMatchObject([{ code: "internal", begun: true }]);
      expect(gateway.downs).toMatchObject([{ reason: "the node answered a call with a text that is not JSON" }]);
    });
  }

  for (const operation of ["chunk", "end"] as const) {
    test(`fails a stream whose ${operation} is no JSON, without passing it on, and closes the session`, async () => {
      const { session, nodePipe, pump, gateway } = await open();
      const { stream, chunks, outcome } = createStream();
      session.stream(stream);
      await pump();
      nodePipe.send(
        Buffer.concat([encodeEntry([fromNode.chunk, 0, "1"]), encodeEntry([fromNode[operation], 0, "{bad"])]),
      );
      await pump();
      expect([await outcome, chunks]).toMatchObject([{ code: "internal", begun: true }, ["1"]]);
      expect(gateway.downs.length).toBe(1);
    });
  }

  const tooMuch: [what: string, message: () => Uint8Array][] = [
    ["too many values", () => Buffer.alloc(31e6, 0x80)],
    [
      "too many values in an ask",
      () => codec.encodeForeign([fromNode.ask, 0, "x", new Array(300_000).fill({})], toNodeLimits),
    ],
    [
      "too many entries",
      () => Buffer.concat(new Array(fromNodeLimits.entries + 1).fill(encodeEntry([fromNode.result, 0, "1"]))),
    ],
  ];
  for (const [what, message] of tooMuch) {
    test(`closes the session of a node that sends ${what} in a message, and takes nothing of it`, async () => {
      const { nodePipe, pump, outcomes, gateway } = await openWithCall();
      nodePipe.send(message());
      await pump();
      expect(outcomes).toMatchObject([{ code: "unavailable" }]);
      expect(gateway.downs).toMatchObject([
        { reason: expect.stringContaining("A frame cannot be read: it holds more") },
      ]);
    });
  }

  test("closes the pipe of a node that it has refused and that stays, after a second", async () => {
    const clock = new SimulatedClock();
    const gateway = createGatewayHost({ clock });
    const [gatewayPipe, nodePipe] = createManualPipe();
    gatewayPipe.receiver = gateway.connected(gatewayPipe);
    for (let count = 0; count < 3; count++) nodePipe.send(Buffer.from("garbage"));
    nodePipe.deliver();
    expect(gatewayPipe.sent.map((message) => JSON.parse(Buffer.from(message).toString()).type)).toEqual(["refused"]);
    clock.advance(999);
    expect(gatewayPipe.reason).toBe(null);
    clock.advance(1);
    expect(gatewayPipe.reason).toContain("The handshake must go on with hello");
    expect([gateway.refusals.length, clock.pending]).toEqual([1, 0]);
  });

  test("does not take a late answer for that of the call which has the slot now", async () => {
    const { session, executor, nodePipe, pump } = await open();
    const first = createCall();
    const second = createCall();
    session.run(first.call).cancel("timeout");
    session.run(second.call);
    nodePipe.send(encodeEntry([fromNode.result, 0, '"late"']));
    await pump();
    expect([first.outcomes, second.outcomes, executor.calls.length]).toEqual([[], [], 2]);
    executor.calls[1]?.succeeded('"right"');
    await pump();
    expect([first.outcomes, second.outcomes]).toEqual([[], [{ json: '"right"' }]]);
  });

  test("uses the slots of calls that have ended again", async () => {
    const { session, executor, gatewayPipe, pump } = await open();
    for (let round = 0; round < 3; round++) {
      session.run(createCall().call);
      await settled();
      const ids = gatewayPipe.sent.flatMap((message) => decodeEntries(message)).map((entry) => entry.at(1));
      expect(ids.at(-1)).toBe(round * maxCallsInFlight);
      await pump();
      executor.calls[round]?.succeeded("1");
      await pump();
    }
  });

  test("gives a node that was silent fresh grace when it was held itself, and only then", async () => {
    const { clock, session, gateway } = await open();
    const { now } = clock;
    let held = 0;
    clock.now = () => now.call(clock) + held;
    // The first finds the welcome's answer, the next two nothing.
    clock.advance(3_000);
    held = 10_000;
    clock.advance(1_000);
    expect(session.state).toBe("up");
    clock.advance(2_000);
    expect(session.state).toBe("up");
    clock.advance(1_000);
    expect(gateway.downs).toEqual([{ node: "node_1", reason: "nothing was received for 3000 ms" }]);
  });

  /** Lets seconds pass in which what is sent one way is lost, until the session is over. @returns how many */
  async function lose(direction: "to the node" | "to the gateway", most = 10): Promise<number> {
    const { clock, session, node, gatewayPipe, nodePipe, pump } = await open();
    for (let second = 0; second < 5; second++) {
      clock.advance(1_000);
      await pump();
    }
    const lost = direction === "to the node" ? gatewayPipe : nodePipe;
    for (let second = 1; second <= most; second++) {
      clock.advance(1_000);
      lost.sent = [];
      await pump();
      if (session.state === "down") {
        expect(node.downs).toHaveLength(1);
        return second;
      }
    }
    return most;
  }

  test("is over within three heartbeats and one, whichever way it is that nothing gets through", async () => {
    expect(await lose("to the node")).toBeLessThanOrEqual(4);
    expect(await lose("to the gateway")).toBeLessThanOrEqual(4);
  });

  test("stays while a long message of the node keeps its heartbeats back", async () => {
    const { clock, session, gatewayPipe, nodePipe, pump } = await open();
    for (let second = 1; second <= 10; second++) {
      gatewayPipe.bytesRead = second * 1_000;
      clock.advance(1_000);
      await settled();
      gatewayPipe.deliver();
    }
    expect(session.state).toBe("up");
    nodePipe.deliver();
    await pump();
    for (let second = 0; second < 5; second++) {
      clock.advance(1_000);
      await pump();
    }
    expect(session.state).toBe("up");
  });

  test("hears a node whose message takes long to come, part by part", async () => {
    const { clock, session, gateway, gatewayPipe } = await open();
    for (let second = 1; second <= 10; second++) {
      for (const pipe of [gatewayPipe, gatewayPipe.other as ManualPipe]) pipe.bytesRead = second * 1_000;
      clock.advance(1_000);
    }
    expect(session.state).toBe("up");
    clock.advance(3_000);
    expect(gateway.downs).toEqual([{ node: "node_1", reason: "nothing was received for 3000 ms" }]);
  });

  test("refuses calls while too much is on its way to the node", async () => {
    const { session, gatewayPipe, executor, pump } = await open({ maxBufferedBytes: 1_000 });
    gatewayPipe.bufferedBytes = 1_001;
    const { call, outcome } = createCall();
    session.run(call);
    expect(await outcome).toMatchObject({ code: "unavailable", begun: false });
    gatewayPipe.bufferedBytes = 0;
    session.run(createCall().call);
    await pump();
    expect(executor.calls.length).toBe(1);
  });

  test("tells apart what was lost with the link and what never left, by the messages that the pipe delivered", async () => {
    const { session, gatewayPipe, executor } = await open();
    const calls = [createCall(), createCall(), createCall()] as const;
    for (const { call } of calls) {
      session.run(call);
      await settled();
    }
    gatewayPipe.deliver(2);
    session.close("a test");
    expect(executor.calls.length).toBe(2);
    const begun = await Promise.all(calls.map(({ outcome }) => outcome));
    expect(begun).toMatchObject([{ begun: true }, { begun: true }, { begun: false }]);
  });

  test("knows as not begun what was on its way into a pipe that ends when it is given a message", async () => {
    const large = ["x".repeat(toNodeLimits.values - 40)];
    const { session, gatewayPipe, pump, clock } = await openWithCall();
    gatewayPipe.send = () => gatewayPipe.close("it takes no more");
    // The second one's function has to be told first, for which the first one's message has to leave.
    const calls = [createCall({ args: large }), createCall({ function: "another" })];
    for (const { call } of calls) session.run(call);
    expect(calls.map(({ outcomes }) => outcomes)).toMatchObject([[{ begun: false }], [{ begun: false }]]);

    const other = await openWithCall();
    other.gatewayPipe.send = () => other.gatewayPipe.close("it takes no more");
    const more = [createCall({ args: large }), createCall({ args: large })];
    for (const { call } of more) other.session.run(call);
    expect(more.map(({ outcomes }) => outcomes)).toMatchObject([[{ begun: false }], [{ begun: false }]]);
    await Promise.all([pump(), other.pump()]);
    expect([session.inFlight, other.session.inFlight, clock.pending]).toEqual([0, 0, 0]);
  });

  test("answers so many asks of a node at a time, and closes the session of one that asks more", async () => {
    const { link, pump, nodePipe, gatewayPipe, session, gateway } = await open({
      asked: () => new Promise(() => undefined),
    });
    const asked = Promise.allSettled(Array.from({ length: maxAsks }, () => link?.ask("verify", null)));
    await expect(link?.ask("verify", null)).rejects.toMatchObject({ code: "unavailable" });
    await pump();
    expect(session.state).toBe("up");
    // A node that does not keep to it itself.
    nodePipe.send(encodeEntry([fromNode.ask, 1_000, "verify", null]));
    await pump();
    expect(gateway.downs).toEqual([{ node: "node_1", reason: "the node has more than 64 open asks" }]);
    expect(gatewayPipe.sent).toEqual([]);
    expect((await asked).every(({ status }) => status === "rejected")).toBe(true);
  });

  test("is not asked more by a node that gave some asks up", async () => {
    const { link, pump, session, clock } = await open({
      asked: () => new Promise(() => undefined),
      heartbeatMs: 60_000,
    });
    const asked = Promise.allSettled(Array.from({ length: maxAsks }, () => link?.ask("verify", null)));
    await pump();
    clock.advance(30_000);
    for (const outcome of await asked) expect(outcome).toMatchObject({ reason: { code: "timeout" } });
    await expect(link?.ask("verify", null)).rejects.toMatchObject({ code: "unavailable" });
    await pump();
    expect(session.state).toBe("up");
  });

  test("closes the session of a node that asks on and on and does not read the answers", async () => {
    const { nodePipe, gatewayPipe, pump, gateway } = await open({ maxBufferedBytes: 1_000 });
    const mayWait = 1_000 + 2 * codec.maxMessageBytes;
    gatewayPipe.bufferedBytes = mayWait;
    nodePipe.send(encodeEntry([fromNode.ask, 0, "verify", null]));
    await pump();
    expect(gateway.downs).toEqual([]);
    gatewayPipe.bufferedBytes = mayWait + 1;
    nodePipe.send(heartbeat(0));
    await pump();
    expect(gateway.downs).toEqual([]);
    nodePipe.send(encodeEntry([fromNode.ask, 1, "verify", null]));
    await pump();
    expect(gateway.downs).toMatchObject([{ reason: expect.stringContaining("does not read") }]);
  });

  test("gives functions their numbers anew when there are too many, without mixing them up", async () => {
    const { session, executor, pump } = await open();
    const count = maxDefinitions + 10;
    for (let version = 0; version < count; version++) {
      session.run(createCall({ function: `f${version}`, version: `1.0.${version}` }).call);
      session.run(createCall({ function: "f0", version: "1.0.0" }).call);
    }
    await pump();
    expect(executor.calls.map((call) => call.function)).toEqual(
      Array.from({ length: count * 2 }, (_, at) => (at % 2 === 0 ? `f${at / 2}` : "f0")),
    );
    expect(executor.calls.every((call) => call.version === `1.0.${call.function.slice(1)}`)).toBe(true);
  });

  test("lets a stream of any length through whose consumer always has something left to take", async () => {
    const { session, executor, pump } = await open();
    const { stream, chunks } = createStream();
    const running = session.stream(stream);
    await pump();
    // 40 times the window, in texts big enough to fill it.
    for (let sent = 0; sent < 400; sent++) {
      executor.streams[0]?.chunk(JSON.stringify("x".repeat(100_000)));
      await pump();
      if (sent > 1) running.grant(1);
    }
    expect([chunks.length, session.state]).toEqual([400, "up"]);
  });

  test("goes on when whoever waits for a call, a stream or its loss throws: the others hear of theirs", async () => {
    using events = recordEvents("node.call.exception");
    const { session, executor, pump, gateway } = await open();
    const throws = () => {
      throw new Error("A listener broke");
    };
    const bad = createCall({ succeeded: throws });
    const worse = createCall({ failed: throws });
    const good = createCall();
    const stream = createStream({ chunk: throws, ended: throws });
    for (const { call } of [bad, worse, good]) session.run(call);
    session.stream(stream.stream);
    await pump();
    executor.calls[0]?.succeeded("1");
    executor.calls[1]?.failed(libraryError("failed", "No"), true);
    executor.calls[2]?.succeeded("3");
    executor.streams[0]?.chunk("1");
    executor.streams[0]?.ended(null);
    await pump();
    expect([good.outcomes, session.state, gateway.downs]).toEqual([[{ json: "3" }], "up", []]);
    const lost = createCall({ failed: throws });
    const after = createCall();
    for (const { call } of [lost, after]) session.run(call);
    await pump();
    session.close("a test");
    expect(after.outcomes).toMatchObject([{ code: "unavailable" }]);
    const [event] = events.messages;
    expect(events.messages).toHaveLength(5);
    expect(event?.metadata).toMatchObject({ node: "node_1", error: { message: "A listener broke" } });
  });
});

describe("a node", () => {
  const define = [toNode.define, 0, "users", "getUser", "users", "get_user", null];
  const entries: [what: string, entry: unknown[]][] = [
    ["a call of a function without a number", [toNode.call, 0, 7, 1_000, null, [], null]],
    ["a call without arguments", [toNode.call, 0, 0, 1_000, null, null, null]],
    ["a call without a limit", [toNode.call, 0, 0, null, null, [], null]],
    ["a call with half an identity", [toNode.call, 0, 0, 1_000, ["r1"], [], null]],
    ["a call without an id", [toNode.call, null, 0, 1_000, null, [], null]],
    ["a call with a negative id", [toNode.call, -1, 0, 1_000, null, [], null]],
    ["a call whose share has one number", [toNode.call, 0, 0, 1_000, null, [], [1]]],
    ["a call without a share", [toNode.call, 0, 0, 1_000, null, []]],
    ["two calls under one id", [toNode.call, 5, 0, 1_000, null, [], null]],
    ["a definition under too high a number", [toNode.define, maxDefinitions, "m", "f", "s", "t", null]],
    ["a definition of nothing", [toNode.define, 1, null, "f", "s", "t", null]],
    ["an operation that there is not", [99]],
    ["nothing in an entry", []],
  ];
  for (const [what, entry] of entries) {
    test(`closes the session of a gateway that sends ${what}, and cancels what runs for it`, async () => {
      const { gatewayPipe, pump, node, executor, clock } = await open();
      gatewayPipe.send(Buffer.concat([encodeEntry(define), encodeEntry([toNode.call, 5, 0, 1_000, null, [], null])]));
      gatewayPipe.send(encodeEntry(entry));
      await pump();
      expect([node.downs.length, executor.calls.length, clock.pending]).toEqual([1, 1, 0]);
      expect(executor.cancelled).toEqual([{ requestType: "get_user", reason: "disconnected" }]);
    });
  }

  test("does not mind a cancel, a grant or a reply for what is not there", async () => {
    const { gatewayPipe, pump, node } = await open();
    for (const operation of [toNode.cancel, toNode.grant, toNode.reply]) {
      for (const id of [0, 65_536, null, "x", -1]) gatewayPipe.send(encodeEntry([operation, id, 1, null]));
    }
    await pump();
    expect(node.downs).toEqual([]);
  });

  test("grants a stream no more than it has sent, whatever the gateway says", async () => {
    const { session, executor, gatewayPipe, pump } = await open();
    session.stream(createStream().stream);
    await pump();
    executor.streams[0]?.chunk("1");
    executor.streams[0]?.chunk("2");
    await pump();
    for (const chunks of [1e15, 5, -1, null]) gatewayPipe.send(encodeEntry([toNode.grant, 0, chunks]));
    await pump();
    expect(executor.grants).toEqual([2]);
  });

  test("says nothing of a call that was cancelled, whatever becomes of it", async () => {
    const { session, executor, nodePipe, pump } = await open();
    const task = session.run(createCall().call);
    const running = session.stream(createStream().stream);
    await pump();
    task.cancel("cancelled");
    running.cancel("cancelled");
    await pump();
    executor.calls[0]?.succeeded("1");
    executor.streams[0]?.chunk("1");
    executor.streams[0]?.failed(libraryError("internal", "No"), true);
    await settled();
    expect(nodePipe.sent).toEqual([]);
  });

  test("sends all of a turn's little in one message, and much in several that the gateway takes", async () => {
    const { session, executor, nodePipe, pump } = await open();
    const calls = Array.from({ length: 10_000 }, () => createCall());
    for (const { call } of calls) session.run(call);
    await pump();
    const sent = () => nodePipe.sent.map((message) => codec.decodeEntries(message, fromNodeLimits).length);
    for (const call of executor.calls.slice(0, 20)) call.succeeded("1");
    await settled();
    expect(sent()).toEqual([20]);
    nodePipe.deliver();
    const text = JSON.stringify("x".repeat(100_000));
    for (const call of executor.calls.slice(20, 26)) call.succeeded(text);
    await settled();
    expect(sent()).toEqual([2, 2, 2]);
    nodePipe.deliver();
    for (const call of executor.calls.slice(26)) call.succeeded("1");
    await settled();
    expect(sent()).toEqual([4_096, 4_096, 10_000 - 26 - 2 * 4_096]);
    await pump();
    expect(calls.every(({ outcomes: [outcome] }) => outcome !== undefined && "json" in outcome)).toBe(true);
  });

  test("refuses to send a body of more values than the gateway takes; the session goes on", async () => {
    const { link, pump, session } = await open();
    const body = new Array(fromNodeLimits.values).fill(0);
    await expect(link?.ask("verify", body)).rejects.toMatchObject({ code: "invalid_request" });
    await pump();
    expect(session.state).toBe("up");
  });

  test("takes so many calls of one gateway, and refuses the others before they are begun", async () => {
    const { session, executor, pump } = await open({}, { maxInFlight: 2 });
    const calls = [createCall(), createCall(), createCall()];
    for (const { call } of calls) session.run(call);
    await pump();
    expect(executor.calls.length).toBe(2);
    expect(calls[2]?.outcomes).toMatchObject([{ code: "unavailable", begun: false }]);
  });

  test("tells of a result that is too big for a message, and of an error that is", async () => {
    const { session, executor, pump } = await open();
    const [big, loud] = [createCall({ maxResultBytes: 1e9 }), createCall()];
    session.run(big.call);
    session.run(loud.call);
    await pump();
    executor.calls[0]?.succeeded("1".repeat(33 * 1024 * 1024));
    executor.calls[1]?.failed(libraryError("internal", "x".repeat(33 * 1024 * 1024)), true);
    await pump();
    expect([big.outcomes, loud.outcomes]).toMatchObject([[{ code: "internal" }], [{ code: "internal" }]]);
  });

  test("gives up an ask that is not answered in its time", async () => {
    const { link, clock, pump, session } = await open({
      asked: () => new Promise(() => undefined),
      heartbeatMs: 60_000,
    });
    const asked = link?.ask("verify", null);
    await pump();
    clock.advance(30_000);
    await expect(asked).rejects.toMatchObject({ code: "timeout" });
    expect(session.state).toBe("up");
  });

  test("waits for no answer to what was on its way into a pipe that ends when it is given a message", async () => {
    const { link, nodePipe, clock } = await open();
    nodePipe.send = () => nodePipe.close("it takes no more");
    const large = "x".repeat(200_000);
    const asked = [link?.ask("first", large), link?.ask("second", large)];
    for (const answer of asked) await expect(answer).rejects.toMatchObject({ code: "unavailable" });
    expect(clock.pending).toBe(0);
  });
});

type Command =
  | { readonly kind: "run" | "cast" }
  | { readonly kind: "answer" | "fail" | "cancel"; readonly which: number }
  | { readonly kind: "deliver"; readonly count: number }
  | { readonly kind: "close"; readonly side: "gateway" | "node" };

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("run" as const, "cast" as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("answer" as const, "fail" as const), which: fc.nat(50) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), which: fc.nat(50) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("deliver" as const), count: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("close" as const), side: fc.constantFrom("gateway", "node") }),
  },
) as fc.Arbitrary<Command>;

describe("whatever happens, in whatever order", () => {
  test("a call is answered once, or not at all once it was cancelled; one told of as not begun never reached the node", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
        const { session, executor, gatewayPipe, nodePipe, pump, clock } = await open({ maxInFlight: 10 });
        const made: (ReturnType<typeof createCall> & { cancel(): void; cancelled: boolean })[] = [];
        for (const next of commands) {
          switch (next.kind) {
            case "run":
            case "cast": {
              const call = createCall({ isCast: next.kind === "cast", args: [made.length] });
              const entry = { ...call, cancelled: false, cancel: (): void => undefined };
              made.push(entry);
              const task = session.run(call.call);
              entry.cancel = () => task.cancel("cancelled");
              break;
            }
            case "answer":
              pick(executor.calls, next.which)?.succeeded(String(pick(executor.calls, next.which)?.args[0]));
              break;
            case "fail":
              pick(executor.calls, next.which)?.failed(libraryError("unavailable", "No"), true);
              break;
            case "cancel": {
              const call = pick(made, next.which);
              if (call !== undefined && call.outcomes.length === 0) call.cancelled = true;
              call?.cancel();
              break;
            }
            case "deliver":
              await settled();
              gatewayPipe.deliver(next.count);
              nodePipe.deliver(next.count);
              break;
            case "close":
              (next.side === "gateway" ? gatewayPipe : nodePipe).close("by chance");
          }
        }
        await pump();
        session.close("the end");
        await pump();
        const reached = new Set(executor.calls.map(({ args }: RemoteCall) => args[0]));
        for (const [number, { outcomes, cancelled }] of made.entries()) {
          expect(outcomes.length).toBe(cancelled ? 0 : 1);
          const [outcome] = outcomes;
          if (outcome !== undefined && "json" in outcome) expect(outcome.json).toBe(String(number));
          else if (outcome?.begun === false) expect(reached.has(number)).toBe(false);
        }
        expect([session.inFlight, clock.pending]).toEqual([0, 0]);
      }),
      { numRuns: 300 },
    );
  });
});

function pick<Item>(items: readonly Item[], which: number): Item | undefined {
  return items[which % Math.max(1, items.length)];
}
