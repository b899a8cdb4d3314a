import { describe, expect, test } from "vitest";
import { unavailable } from "../../src/call/request/failure.ts";
import { pipelineOf } from "../support/pipeline.ts";
import { settled } from "../support/simulated-clock.ts";

const onWorker = { requestType: "numbers", responseType: "stream", runOn: "worker" } as const;
const onMain = { ...onWorker, runOn: "main" } as const;

const init = {
  response: {
    request_id: "r1",
    result: "init",
    success: true,
    error: null,
    async: true,
    has_more: true,
    can_retry: false,
  },
  reply: { status: "ok", response: "numbers" },
};
const chunk = (result: unknown) => ({ response: { ...init.response, result }, reply: null });
const end = (result: unknown = null) => ({ response: { ...init.response, result, has_more: false }, reply: null });

describe("a stream", () => {
  test("is acknowledged with init, then come its chunks and its end", async () => {
    const { request, sent, streams, running } = await pipelineOf(onWorker);
    request("numbers");
    expect(sent).toEqual([init]);
    const [entry] = streams;
    entry?.stream.chunk("1");
    entry?.stream.chunk('"two"');
    expect(running.size).toBe(1);
    entry?.stream.ended(null);
    expect(sent).toEqual([init, chunk(1), chunk("two"), end()]);
    expect(running.size).toBe(0);
  });

  test("may end with a last result", async () => {
    const { request, sent, streams } = await pipelineOf(onWorker);
    request("numbers");
    streams[0]?.stream.ended("3");
    expect(sent).toEqual([init, end(3)]);
  });

  test("that fails ends with one failed Response", async () => {
    const { request, sent, streams, running } = await pipelineOf(onWorker);
    request("numbers");
    streams[0]?.stream.chunk("1");
    streams[0]?.stream.failed(unavailable, true);
    streams[0]?.stream.chunk("2");
    streams[0]?.stream.ended(null);
    expect(sent).toMatchObject([
      init,
      chunk(1),
      { response: { success: false, async: false, has_more: false, error_code: "unavailable" }, reply: null },
    ]);
    expect([sent.length, running.size]).toEqual([3, 0]);
  });

  test("that is refused gets one final Response with its reply", async () => {
    const { request, sent } = await pipelineOf({ ...onWorker, argTypes: { n: "num" } });
    request("numbers", { args: { n: "x" } });
    expect(sent).toMatchObject([
      { response: { async: false, error_code: "invalid_argument" }, reply: { status: "error" } },
    ]);
    expect(sent.length).toBe(1);
  });

  test("of a pool that is full is refused before it is acknowledged", async () => {
    const { request, sent, executors } = await pipelineOf(onWorker);
    executors.workerStreams = {
      stream(stream) {
        stream.failed(unavailable, false);
        return { cancel: () => undefined, grant: () => undefined, acknowledge: () => undefined };
      },
    };
    request("numbers");
    expect(sent).toMatchObject([{ response: { error_code: "unavailable", async: false }, reply: { status: "ok" } }]);
    expect(sent.length).toBe(1);
  });

  test("a second one under a live stream's request id is refused", async () => {
    const { request, sent, caller, streams } = await pipelineOf(onWorker);
    const by = caller();
    request("numbers", {}, by);
    request("numbers", {}, by);
    expect(sent[1]).toMatchObject({
      response: {
        // Under the id itself it would be taken for the end of the live one.
        request_id: "unknown",
        error_code: "invalid_request",
        error: 'Invalid request: A stream with request_id "r1" is live on this channel',
      },
      reply: { status: "error" },
    });
    request("numbers", { unknown: 1 }, by);
    expect(sent[2]).toMatchObject({ response: { request_id: "unknown", success: false }, reply: { status: "error" } });
    streams[0]?.stream.ended(null);
    request("numbers", {}, by);
    expect(sent.at(-1)).toEqual(init);
  });
});

test("a stream that ended before its actor came to start it is not begun, and its actor ends", async () => {
  const { request, sent, streams, streamStart } = await pipelineOf(onWorker);
  let start = (): void => undefined;
  let actorEnds = 0;
  streamStart.start = (stream) => {
    start = () => stream.start(() => actorEnds++);
  };
  request("numbers").calls.cancel("r1")?.();
  start();
  expect(sent.map(({ response }) => response.error_code)).toEqual(["cancelled"]);
  expect([streams.length, actorEnds]).toEqual([0, 1]);
});

describe("the client's socket", () => {
  test("gives the producer credit for each chunk it takes, and none while it is full", async () => {
    const { request, streams, socket } = await pipelineOf(onWorker);
    request("numbers");
    const [entry] = streams;
    for (let n = 0; n < 5; n++) entry?.stream.chunk(String(n));
    expect(entry?.granted).toBe(5);
    socket.isReady = false;
    for (let n = 0; n < 7; n++) entry?.stream.chunk(String(n));
    expect(entry?.granted).toBe(5);
    expect(socket.waiting.length).toBe(1);
    socket.drain();
    expect(entry?.granted).toBe(12);
  });

  test("that stays full for streamStallTimeoutMs ends the stream, and its producer", async () => {
    const { request, sent, streams, socket, clock, running } = await pipelineOf({ ...onWorker, timeout: 1_000 });
    request("numbers");
    socket.isReady = false;
    streams[0]?.stream.chunk("1");
    clock.advance(59_999);
    expect(streams[0]?.cancelled).toBeNull();
    clock.advance(1_001);
    expect(streams[0]?.cancelled).toBe("disconnected");
    expect(sent.at(-1)).toMatchObject({ response: { error_code: "cancelled", has_more: false } });
    expect([running.size, clock.pending]).toEqual([0, 0]);
  });
});

describe("a stream's timeout", () => {
  test("is the time without a chunk: a slow but steady stream goes on", async () => {
    const { request, sent, streams, clock } = await pipelineOf({ ...onWorker, timeout: 1_000 });
    request("numbers");
    for (let n = 0; n < 10; n++) {
      clock.advance(900);
      streams[0]?.stream.chunk(String(n));
    }
    expect(sent.length).toBe(11);
    clock.advance(999);
    expect(sent.length).toBe(11);
    clock.advance(1);
    expect(sent[11]).toMatchObject({
      response: {
        success: false,
        error: "Request timed out after 1000 ms",
        error_code: "timeout",
        async: false,
        has_more: false,
      },
      reply: null,
    });
    expect(streams[0]?.cancelled).toBe("timeout");
    clock.advance(100_000);
    expect([sent.length, clock.pending]).toEqual([12, 0]);
  });

  test("does not run while the client's socket is full", async () => {
    const { request, streams, socket, clock } = await pipelineOf({ ...onWorker, timeout: 1_000 });
    request("numbers");
    socket.isReady = false;
    streams[0]?.stream.chunk("1");
    clock.advance(30_000);
    expect(streams[0]?.cancelled).toBeNull();
    socket.drain();
    clock.advance(999);
    expect(streams[0]?.cancelled).toBeNull();
    clock.advance(1_001);
    expect(streams[0]?.cancelled).toBe("timeout");
  });
});

describe("a client", () => {
  test("stops its stream: an orderly end, and the producer is told", async () => {
    const { request, sent, streams } = await pipelineOf(onWorker);
    const { calls } = request("numbers");
    streams[0]?.stream.chunk("1");
    expect(calls.stopStream("other")).toBeNull();
    calls.stopStream("r1")?.();
    expect(sent).toEqual([init, chunk(1), end()]);
    expect(streams[0]?.cancelled).toBe("cancelled");
    expect(calls.stopStream("r1")).toBeNull();
  });

  test("cancels it: a failed end", async () => {
    const { request, sent } = await pipelineOf(onWorker);
    request("numbers").calls.cancel("r1")?.();
    expect(sent[1]).toMatchObject({ response: { error_code: "cancelled", has_more: false } });
  });

  test("that is gone ends it", async () => {
    const { request, streams, running } = await pipelineOf(onWorker);
    request("numbers").calls.abortAll("disconnected");
    expect(streams[0]?.cancelled).toBe("disconnected");
    expect(running.size).toBe(0);
  });
});

describe("on the main thread a stream comes from", () => {
  test.each([
    ["numbers", "a generator"],
    ["numbersLater", "an async generator"],
    ["numbersIterable", "an AsyncIterable"],
    ["numbersReadable", "a Readable"],
  ])("%s: %s", async (requestType) => {
    const { request, sent } = await pipelineOf({ ...onMain, requestType, argTypes: { n: "num" } });
    request(requestType, { args: { n: 3 } });
    for (let turn = 0; turn < 20; turn++) await settled();
    expect(sent.map(({ response }) => response.result)).toEqual(["init", 1, 2, 3, null]);
  });

  test("a function that writes to its RequestInfo's stream", async () => {
    const { request, sent } = await pipelineOf({ ...onMain, requestType: "writes", requestInfo: true });
    request("writes");
    for (let turn = 0; turn < 20; turn++) await settled();
    expect(sent.map(({ response }) => [response.result, response.has_more])).toEqual([
      ["init", true],
      ["one", true],
      ["two", true],
      ["last", false],
    ]);
  });

  test("a generator that throws after two chunks", async () => {
    const { request, sent } = await pipelineOf({ ...onMain, requestType: "numbersThenThrow" });
    request("numbersThenThrow");
    expect(sent.map(({ response }) => response.error_code ?? response.result)).toEqual(["init", 1, 2, "failed"]);
  });

  test("a generator that yields promises: they are waited for, and one that rejects ends it", async () => {
    const { request, sent } = await pipelineOf({ ...onMain, requestType: "promises" });
    request("promises");
    for (let turn = 0; turn < 20; turn++) await settled();
    expect(sent.map(({ response }) => response.error_code ?? response.result)).toEqual(["init", 1, 2, "failed"]);
    expect((globalThis as { promisesEnded?: boolean }).promisesEnded).toBe(true);
  });

  test("a generator that ends at once", async () => {
    const { request, sent } = await pipelineOf({ ...onMain, argTypes: { n: "num" } });
    request("numbers", { args: { n: 0 } });
    expect(sent).toEqual([init, end()]);
  });

  test("an endless generator, as far as its credit goes, and it is closed when its client stops it", async () => {
    const { request, sent, socket } = await pipelineOf({ ...onMain, requestType: "endless" });
    socket.isReady = false;
    const { calls } = request("endless");
    // A generator that has had its turn lets others run before it goes on.
    while (sent.length < 33) await settled();
    await settled();
    expect(sent.length).toBe(33);
    calls.stopStream("r1")?.();
    await settled();
    expect((globalThis as { endlessEnded?: boolean }).endlessEnded).toBe(true);
  });
});
