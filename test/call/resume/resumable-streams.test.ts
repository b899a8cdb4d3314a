import { describe, expect, test } from "vitest";
import type { Caller } from "../../../src/call/request/caller.ts";
import { InFlight, RunningCalls } from "../../../src/call/request/running-calls.ts";
import { SharedBudget } from "../../../src/core/fair/shared-budget.ts";
import { pipelineOf, streamsOptions } from "../../support/pipeline.ts";
import { recordEvents } from "../../support/record-events.ts";
import { FakeChannel } from "./fake-channel.ts";

const stream = { requestType: "numbers", responseType: "stream", runOn: "worker", timeout: 1_000 } as const;

/** A pipeline with a stream that its client may resume and that has sent these chunks. */
async function opened({ chunks = 0, window = 8, identity = {} as Partial<Caller>, config = {} } = {}) {
  const parts = await pipelineOf({ ...stream, ...config });
  const first = parts.request("numbers", { window, resume: true }, parts.caller(identity));
  const [produced] = parts.streams;
  if (produced === undefined) throw new Error("There is no stream");
  const token = parts.sent[0]?.response.resume_token as string;
  for (let chunk = 1; chunk <= chunks; chunk++) produced.stream.chunk(String(chunk));
  const seqs = () => parts.sent.slice(1).map(({ response }) => response.seq);
  /** Sends `resume` on a new channel of this caller. */
  const resume = (seq: unknown, by: Caller = parts.caller(identity), more: object = {}) => {
    const channel = new FakeChannel();
    const found = parts.pipeline.resume({ request_id: "r1", resume_token: token, seq, ...more }, by, channel);
    if (typeof found === "string") return { refused: found, channel, by };
    (found as () => void)();
    return { refused: null, channel, by };
  };
  return { ...parts, first, produced, token, seqs, resume };
}

describe("a stream with resume", () => {
  test("has a token of 128 random bits, which names its gateway, in its first Response alone", async () => {
    const { token, sent } = await opened({ chunks: 2 });
    expect(token).toMatch(/^[\w-]{8}\.[\w-]{22}$/);
    for (const { response } of sent.slice(1)) expect(response).not.toHaveProperty("resume_token");
    const other = await opened();
    expect(other.token.split(".")[0]).toBe(token.split(".")[0]);
    expect(other.token).not.toBe(token);
  });

  test("tells its new channel how many Responses it is sent again, not those that are new", async () => {
    const { first, produced, resume } = await opened({ chunks: 5 });
    first.calls.acknowledge("r1", 1);
    first.calls.detachAll();
    produced.stream.chunk("6");
    const { channel } = resume(2);
    expect([channel.seqs, channel.repeated]).toEqual([[3, 4, 5, 6], 3]);
    expect(resume(6).channel.repeated).toBe(0);
  });

  test("waits for its client: what comes meanwhile, and what was not acknowledged, comes on the next channel", async () => {
    const { first, produced, resume, running, seqs, sent } = await opened({ chunks: 3 });
    first.calls.acknowledge("r1", 1);
    first.calls.detachAll();
    expect([first.calls.size, running.size, produced.cancelled]).toEqual([0, 1, null]);
    produced.stream.chunk("4");
    expect(seqs()).toEqual([1, 2, 3]);
    const { channel, by } = resume(2);
    expect(channel.seqs).toEqual([3, 4]);
    produced.stream.chunk("5");
    produced.stream.ended(null);
    expect(channel.responses.map(({ seq, result, has_more }) => [seq, result, has_more])).toEqual([
      [3, 3, true],
      [4, 4, true],
      [5, 5, true],
      [6, null, false],
    ]);
    expect(sent.length).toBe(4);
    expect([by.calls.size, running.size]).toEqual([0, 0]);
  });

  test("lets its producer go on as far as the window allows while its client is gone", async () => {
    const { first, produced, resume } = await opened({ chunks: 1, window: 3 });
    first.calls.detachAll();
    produced.stream.chunk("2");
    produced.stream.chunk("3");
    expect([produced.granted, produced.acknowledged]).toEqual([3, 0]);
    const { by, channel } = resume(0);
    expect(channel.seqs).toEqual([1, 2, 3]);
    by.calls.acknowledge("r1", 3);
    expect(produced.acknowledged).toBe(3);
  });

  test("moves when its client resumes it although the old channel seems alive, which gets nothing more", async () => {
    const { first, produced, resume, seqs } = await opened({ chunks: 2 });
    const { channel, by } = resume(0);
    produced.stream.chunk("3");
    expect([seqs(), channel.seqs]).toEqual([
      [1, 2],
      [1, 2, 3],
    ]);
    expect(first.calls.acknowledge("r1", 2)).toBe("not_found");
    expect(first.calls.cancel("r1")).toBeNull();
    first.calls.detachAll();
    expect(produced.cancelled).toBeNull();
    by.calls.cancel("r1")?.();
    expect(produced.cancelled).toBe("cancelled");
    expect(channel.responses.at(-1)).toMatchObject({ seq: 4, error_code: "cancelled" });
  });

  test("may be resumed on the channel on which it is", async () => {
    const { first, produced, resume } = await opened({ chunks: 2 });
    const { channel } = resume(1, first);
    produced.stream.chunk("3");
    expect(channel.seqs).toEqual([2, 3]);
    expect(first.calls.size).toBe(1);
  });

  test("comes as fast as the new socket takes it", async () => {
    const { first, produced, pipeline, token, caller } = await opened({ chunks: 3 });
    first.calls.detachAll();
    const channel = new FakeChannel();
    channel.isReady = false;
    const by = caller();
    const resumed = pipeline.resume({ request_id: "r1", resume_token: token, seq: 0 }, by, channel);
    (resumed as () => void)();
    produced.stream.chunk("4");
    expect([channel.seqs, produced.granted]).toEqual([[], 3]);
    // Its client cannot have what was not sent yet.
    expect(by.calls.acknowledge("r1", 4)).toBe("invalid_seq");
    channel.drain();
    expect([channel.seqs, produced.granted]).toEqual([[1, 2, 3, 4], 4]);
    expect(by.calls.acknowledge("r1", 4)).toBeNull();
  });

  test("goes on although its socket was full when it went", async () => {
    const { first, produced, socket, resume } = await opened({ chunks: 1 });
    socket.isReady = false;
    produced.stream.chunk("2");
    expect(produced.granted).toBe(1);
    first.calls.detachAll();
    expect(produced.granted).toBe(2);
    expect(resume(0).channel.seqs).toEqual([1, 2]);
  });

  test("that is left ends, and so does one that was not acknowledged yet", async () => {
    const { first, produced, resume } = await opened({ chunks: 1 });
    first.calls.abortAll("disconnected");
    expect(produced.cancelled).toBe("disconnected");
    expect(resume(1).refused).toBe("not_found");
    const early = await pipelineOf(stream);
    early.streamStart.start = () => undefined;
    const { calls } = early.request("numbers", { window: 1, resume: true });
    calls.detachAll();
    expect([early.running.size, early.resumable.detached, early.clock.pending]).toEqual([0, 0, 0]);
  });
});

describe("a client that may not resume a stream is told", () => {
  test("not_found of another user's, a wrong token, another request_id, and whatever is no token", async () => {
    const { first, resume, caller } = await opened({ chunks: 2 });
    first.calls.detachAll();
    const by = caller();
    expect(resume(0, caller({ userId: "u2" })).refused).toBe("not_found");
    expect(resume(0, caller({ userId: null })).refused).toBe("not_found");
    for (const resume_token of ["", "x", 5, null, undefined, {}, "h4LTkxwq.0JqTqNwJ0rIlNn8gnzvCIA"]) {
      expect(resume(0, by, { resume_token }).refused).toBe("not_found");
    }
    for (const request_id of ["r2", 5, null, undefined])
      expect(resume(0, by, { request_id }).refused).toBe("not_found");
    expect(resume(0).channel.seqs).toEqual([1, 2]);
  });

  test.each([null, undefined, 5, "text", [1]])("not_found of a payload that is %j", async (payload) => {
    const { pipeline, caller } = await pipelineOf(stream);
    expect(pipeline.resume(payload, caller(), new FakeChannel())).toBe("not_found");
  });

  test("nothing of the kind by an anonymous stream's token: that alone counts", async () => {
    const { first, resume, caller } = await opened({ chunks: 1, identity: { userId: null } });
    first.calls.detachAll();
    expect(resume(0, caller({ userId: "u2" })).channel.seqs).toEqual([1]);
  });

  test("gap of a number that is not kept any more, or was never sent", async () => {
    const { first, produced, resume } = await opened({ chunks: 4 });
    first.calls.acknowledge("r1", 2);
    first.calls.detachAll();
    produced.stream.chunk("5");
    // The fifth was made, and not sent.
    for (const seq of [0, 1, 5, 6, -1, 2.5, "2", null, undefined]) expect(resume(seq).refused).toBe("gap");
    expect(resume(2).channel.seqs).toEqual([3, 4, 5]);
    expect(resume(5).refused).toBeNull();
  });

  test("request_id_in_use where its channel has another stream of that id", async () => {
    const { first, resume, request, caller } = await opened({ chunks: 1 });
    first.calls.detachAll();
    const by = request("numbers", {}, caller());
    expect(resume(0, by).refused).toBe("request_id_in_use");
    by.calls.stopStream("r1")?.();
    expect(resume(0, by).channel.seqs).toEqual([1]);
  });

  test("the bound where its connection has too much running", async () => {
    const { first, resume, caller } = await opened({ chunks: 1 });
    first.calls.detachAll();
    using rejections = recordEvents("executor.request.rejected");
    const calls = new RunningCalls(new InFlight(10, 0, 1_000, new SharedBudget(1_000)));
    expect(resume(0, caller({ calls })).refused).toBe("too_many_streams");
    expect(rejections.messages).toMatchObject([{ metadata: { reason: "too_many_streams" } }]);
  });
});

describe("the end of a stream with resume", () => {
  test("is kept until it is acknowledged, on whatever channel", async () => {
    const { first, produced, resume, resumable } = await opened({ chunks: 1 });
    first.calls.detachAll();
    produced.stream.ended(null);
    expect(resume(1).channel.responses).toMatchObject([{ seq: 2, has_more: false }]);
    // Its client said that it has the first.
    expect(resume(0).refused).toBe("gap");
    const { channel, by } = resume(1);
    expect(channel.seqs).toEqual([2]);
    expect(by.calls.acknowledge("r1", 3)).toBe("invalid_seq");
    expect(by.calls.acknowledge("r1", 1)).toBeNull();
    expect(resume(1).refused).toBeNull();
    expect(resume(2).refused).toBeNull();
    expect(resume(2).refused).toBe("not_found");
    expect(resumable.keptBytes).toBe(0);
  });

  test("that its channel got is kept for resumeMs too, for it may not have arrived", async () => {
    const { first, produced, resume, clock, resumable } = await opened({ chunks: 1 });
    produced.stream.ended(null);
    clock.advance(20_000);
    first.calls.detachAll();
    clock.advance(20_000);
    const { channel, by } = resume(1);
    expect(channel.seqs).toEqual([2]);
    expect(by.calls.acknowledge("r1", 2)).toBeNull();
    expect(by.calls.acknowledge("r1", 2)).toBe("not_found");
    expect([resumable.keptBytes, clock.pending]).toEqual([0, 0]);
  });

  test("is forgotten when resumeMs have passed, and when its channel is left", async () => {
    const one = await opened({ chunks: 1 });
    one.produced.stream.ended(null);
    one.clock.advance(30_000);
    expect([one.resume(1).refused, one.first.calls.acknowledge("r1", 2), one.resumable.keptBytes]).toEqual([
      "not_found",
      "not_found",
      0,
    ]);
    const other = await opened({ chunks: 1 });
    other.produced.stream.ended(null);
    other.first.calls.abortAll("disconnected");
    expect([other.resume(1).refused, other.clock.pending]).toEqual(["not_found", 0]);
  });

  test("makes place for a new stream under its request_id", async () => {
    const { first, produced, request, streams, resumable } = await opened({ chunks: 1 });
    produced.stream.ended(null);
    request("numbers", { window: 2, resume: true }, first);
    streams[1]?.stream.ended(null);
    expect(first.calls.acknowledge("r1", 1)).toBeNull();
    expect(resumable.keptBytes).toBe(0);
  });
});

describe("a stream whose client does not come back", () => {
  test("ends after resumeMs, and its function's signal says that the client is gone", async () => {
    using drops = recordEvents("stream.drop");
    const { first, produced, resume, clock, running, resumable } = await opened({ chunks: 8, window: 8 });
    first.calls.detachAll();
    expect(resumable.detached).toBe(1);
    clock.advance(29_999);
    expect(produced.cancelled).toBeNull();
    clock.advance(1);
    expect(produced.cancelled).toBe("disconnected");
    expect([resume(8).refused, running.size, resumable.detached, resumable.keptBytes, clock.pending]).toEqual([
      "not_found",
      0,
      0,
      0,
      0,
    ]);
    expect(drops.messages).toMatchObject([{ metadata: { reason: "expired", request_id: "r1", user_id: "u1" } }]);
  });

  test("waits as long as resumeMs says, whatever streamStallTimeoutMs says", async () => {
    streamsOptions.resumeMs = 300_000;
    const { first, produced, resume, clock } = await opened({ chunks: 2, window: 2 });
    first.calls.detachAll();
    clock.advance(200_000);
    expect(produced.cancelled).toBeNull();
    const { channel } = resume(0);
    expect(channel.seqs).toEqual([1, 2]);
    // Now there is somebody who could acknowledge something.
    clock.advance(59_000);
    expect(produced.cancelled).toBeNull();
    clock.advance(2_000);
    expect(produced.cancelled).toBe("disconnected");
  });

  test("ends by its function's own timeout meanwhile, and its client gets that end", async () => {
    const { first, produced, resume, clock } = await opened({ chunks: 1 });
    first.calls.detachAll();
    clock.advance(1_001);
    expect(produced.cancelled).toBe("timeout");
    expect(resume(1).channel.responses).toMatchObject([{ seq: 2, error_code: "timeout" }]);
  });

  test("does not wait at all with resumeMs 0, and has no token", async () => {
    streamsOptions.resumeMs = 0;
    const { first, produced, token, seqs } = await opened({ chunks: 1 });
    expect([token, seqs()]).toEqual([undefined, [1]]);
    first.calls.detachAll();
    expect(produced.cancelled).toBe("disconnected");
  });

  test("ends when the gateway stops, and no other begins to wait", async () => {
    const { first, produced, resume, resumable, request, streams, sent } = await opened({ chunks: 1 });
    const other = request("numbers", { window: 2, resume: true, request_id: "r2" });
    first.calls.detachAll();
    resumable.drain();
    expect([produced.cancelled, streams[1]?.cancelled]).toEqual(["stopped", null]);
    expect(resume(1).refused).toBe("not_found");
    other.calls.detachAll();
    expect(streams[1]?.cancelled).toBe("disconnected");
    request("numbers", { window: 2, resume: true, request_id: "r3" });
    expect(sent.at(-1)?.response).not.toHaveProperty("resume_token");
  });
});

describe("of the streams that wait", () => {
  /** A pipeline with streams of these users; each is detached and has one chunk of this size. */
  async function waiting(users: readonly (string | null)[], size = 1) {
    const parts = await pipelineOf(stream);
    users.forEach((userId, at) => {
      const share = { identity: `user ${userId}`, connection: `c${at}` };
      const by = parts.caller({ userId, share });
      parts.request("numbers", { window: 4, resume: true, request_id: `r${at}` }, by);
      parts.streams[at]?.stream.chunk(JSON.stringify("x".repeat(size)));
      by.calls.detachAll();
    });
    return { ...parts, cancelled: () => parts.streams.map(({ cancelled }) => cancelled) };
  }

  test("there are at most maxDetached: a user may have them all, and makes place for others", async () => {
    using drops = recordEvents("stream.drop");
    streamsOptions.maxDetached = 4;
    const greedy = await waiting(["a", "a", "a", "a", "a"]);
    expect(greedy.cancelled()).toEqual([null, null, null, null, "disconnected"]);
    const shared = await waiting(["a", "a", "a", "a", "b", "c", "d"]);
    // Until nobody has more than one more than the next would have.
    expect(shared.cancelled()).toEqual(["disconnected", "disconnected", "disconnected", null, null, null, null]);
    expect(shared.resumable.detached).toBe(4);
    expect(new Set(drops.messages.map(({ metadata }) => (metadata as { reason: string }).reason))).toEqual(
      new Set(["too_many_streams"]),
    );
  });

  test("the kept Responses take at most maxKeptBytes, of which each user leaves some to others", async () => {
    using drops = recordEvents("stream.drop");
    streamsOptions.maxKeptBytes = 8_000;
    const users = ["a", "a", "a", "a", "a", "a", "b"];
    const { resumable, streams, pipeline, caller, sent } = await waiting(users, 900);
    expect(resumable.keptBytes).toBeLessThanOrEqual(8_000);
    expect(drops.messages[0]).toMatchObject({ metadata: { reason: "too_many_bytes", request_id: "r4" } });
    const resume = (at: number, seq: number) => {
      const token = sent.find(({ response }) => response.request_id === `r${at}`)?.response.resume_token;
      const payload = { request_id: `r${at}`, resume_token: token, seq };
      return pipeline.resume(payload, caller({ userId: users[at] ?? null }), new FakeChannel());
    };
    // The first ones were kept, the later ones only sent: whoever has received them may go on.
    expect([resume(0, 0), resume(6, 0)]).toEqual([expect.any(Function), expect.any(Function)]);
    expect([resume(5, 0), resume(5, 1)]).toEqual(["gap", expect.any(Function)]);
    // What cannot be sent to anybody cannot be kept either.
    streams[5]?.stream.chunk(JSON.stringify("y".repeat(900)));
    expect(streams[5]?.cancelled).toBe("stopped");
    expect(resume(5, 1)).toBe("not_found");
  });

  test("the arguments of streams whose client is gone count too, until it is back or they end", async () => {
    using drops = recordEvents("stream.drop");
    // Each request holds 100 bytes.
    streamsOptions.maxKeptBytes = 450;
    const parts = await pipelineOf({ ...stream, argTypes: { v: { type: "any" } } });
    const { resumable, streams, sent, pipeline, caller } = parts;
    const open = (at: number) => {
      const { calls } = parts.request("numbers", { request_id: `r${at}`, args: { v: at }, window: 8, resume: true });
      calls.detachAll();
    };
    open(0);
    open(1);
    expect(resumable.keptBytes).toBe(200);
    open(2);
    expect(resumable.keptBytes).toBe(200);
    expect([resumable.detached, streams[2]?.cancelled]).toEqual([2, "disconnected"]);
    expect(drops.messages).toMatchObject([{ metadata: { reason: "too_many_bytes", request_id: "r2" } }]);
    const token = sent[0]?.response.resume_token;
    const resume = (by: Caller) =>
      pipeline.resume({ request_id: "r0", resume_token: token, seq: 0 }, by, new FakeChannel());
    const inFlight = new InFlight(10, 10, 150, new SharedBudget(1_000));
    inFlight.add(100);
    expect(resume(caller({ calls: new RunningCalls(inFlight) }))).toBe("too_many_bytes");
    inFlight.delete(100);
    const by = caller({ calls: new RunningCalls(inFlight) });
    (resume(by) as () => void)();
    expect([inFlight.held, resumable.keptBytes]).toEqual([100, 100]);
    streams[0]?.stream.ended(null);
    expect(inFlight.held).toBe(0);
  });

  test("a stream that has ended, and waits for its client, holds its arguments no longer", async () => {
    const { request, streams, resumable } = await pipelineOf({ ...stream, argTypes: { v: { type: "any" } } });
    const { calls } = request("numbers", { args: { v: "x" }, window: 8, resume: true });
    calls.detachAll();
    expect(resumable.keptBytes).toBe(100);
    streams[0]?.stream.ended(null);
    const end = resumable.keptBytes;
    const bare = await pipelineOf(stream);
    bare.request("numbers", { window: 8, resume: true }).calls.detachAll();
    bare.streams[0]?.stream.ended(null);
    expect(end).toBe(bare.resumable.keptBytes);
  });
});
