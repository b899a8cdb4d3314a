import { describe, expect, test } from "vitest";
import service from "../fixtures/context.js";
import { keep, nextEvent, startGateway, startNode } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { pipelineOf } from "../support/pipeline.ts";

const echo = { requestType: "echo", runOn: "worker" } as const;

describe("timeout_ms of a request", () => {
  test("is the time for the whole of it, and to its function a cancellation", async () => {
    const { request, clock, sent, onWorker } = await pipelineOf(echo);
    request("echo", { timeout_ms: 250 });
    clock.advance(249);
    expect(sent).toEqual([]);
    clock.advance(1);
    expect(sent).toMatchObject([
      { response: { error_code: "timeout", error: "Request timed out after 250 ms", can_retry: true } },
    ]);
    expect(onWorker[0]?.cancelled).toBe("cancelled");
    onWorker[0]?.attempt.succeeded("1");
    expect(sent.length).toBe(1);
  });

  test("only shortens what the FunConfig allows", async () => {
    const { request, clock, sent, onWorker } = await pipelineOf(echo);
    request("echo", { timeout_ms: 1_000_000 });
    clock.advance(1_000);
    expect(sent).toMatchObject([{ response: { error: "Request timed out after 1000 ms" } }]);
    expect(onWorker[0]?.cancelled).toBe("timeout");
    expect(clock.pending).toBe(0);
  });

  test("includes retries and the pauses between them", async () => {
    const { request, clock, sent, onWorker } = await pipelineOf({ ...echo, retry: 5 });
    request("echo", { timeout_ms: 150 });
    onWorker[0]?.attempt.failed({ code: "unavailable", message: "", reason: "", canRetry: true } as never, true);
    clock.advance(100);
    expect(onWorker.length).toBe(2);
    clock.advance(50);
    expect(sent).toMatchObject([{ response: { error: "Request timed out after 150 ms" } }]);
    clock.advance(10_000);
    expect([sent.length, onWorker.length, clock.pending]).toEqual([1, 2, 0]);
  });

  test("ends the wait for a hook, before and after the function", async () => {
    const hooks = { beforeExecute: "m.never", afterExecute: null, hookTimeout: 5_000 };
    const before = await pipelineOf({ requestType: "echo", ...hooks });
    before.request("echo", { timeout_ms: 100 });
    before.clock.advance(100);
    expect(before.sent).toMatchObject([{ response: { error_code: "timeout" } }]);
    before.clock.advance(10_000);
    expect(before.clock.pending).toBe(0);
    const after = await pipelineOf({ requestType: "echo", ...hooks, beforeExecute: null, afterExecute: "m.never" });
    after.request("echo", { timeout_ms: 100 });
    expect(after.sent).toEqual([]);
    after.clock.advance(100);
    expect(after.sent).toMatchObject([{ response: { error_code: "timeout" } }]);
    after.clock.advance(10_000);
    await Promise.resolve();
    expect(after.sent.length).toBe(1);
    expect(after.clock.pending).toBe(0);
  });

  test("ends a stream that still sends", async () => {
    const { request, clock, sent, streams } = await pipelineOf({ ...echo, responseType: "stream" });
    request("echo", { timeout_ms: 300 });
    for (let n = 0; n < 2; n++) {
      clock.advance(100);
      streams[0]?.stream.chunk(`${n}`);
    }
    clock.advance(100);
    expect(sent.at(-1)).toMatchObject({ response: { error_code: "timeout", has_more: false, async: false } });
    expect(streams[0]?.cancelled).toBe("cancelled");
    expect(clock.pending).toBe(0);
  });

  test("leaves a cast alone that was accepted in time", async () => {
    const { request, clock, sent, replies, onWorker } = await pipelineOf({ ...echo, responseType: "none" });
    request("echo", { timeout_ms: 10 });
    expect(replies.length).toBe(1);
    clock.advance(100);
    expect(onWorker[0]?.cancelled).toBe(null);
    onWorker[0]?.attempt.succeeded("1");
    expect(sent).toEqual([]);
  });

  test("sets no timer that outlives the answer", async () => {
    const { request, clock, sent, onWorker } = await pipelineOf(echo);
    for (let n = 1; n <= 100; n++) request("echo", { timeout_ms: 86_400_000 + n });
    for (const { attempt } of onWorker) attempt.succeeded("1");
    expect(sent.length).toBe(100);
    clock.advance(1_000);
    expect(clock.pending).toBe(0);
  });

  test.each([0, 0.5, -1, "100", true, {}, [], Number.NaN])("cannot be %j", async (timeout_ms) => {
    const { request, sent } = await pipelineOf(echo);
    request("echo", { timeout_ms });
    expect(sent).toMatchObject([
      {
        response: {
          error_code: "invalid_request",
          error: expect.stringMatching(
            /^Invalid request: timeout_ms must be a number of milliseconds, at least 1, or null, got /,
          ),
        },
      },
    ]);
  });

  test.each([null, undefined, 1, 1.5, 1e300])("can be %j", async (timeout_ms) => {
    const { request, sent } = await pipelineOf({ requestType: "echo" });
    request("echo", { timeout_ms });
    expect(sent).toMatchObject([{ response: { success: true } }]);
  });
});

describe("requestInfo.deadline", () => {
  test("is when the caller stops waiting, on threads, on the main thread and on nodes", async () => {
    // Within 20 seconds: nothing says how long a call takes on a busy machine.
    const near = (ms: number) => expect.closeTo(ms, -4.6);
    const gateway = await startGateway({ channels: [{ topic: "api:*", event: "api" }], functions: [service] });
    const client = keep(await connectClient(urlOf(gateway), { service: "context" }));
    const left = async (type: string, more = {}) => (await client.request(type, {}, more)).response.result;
    expect(await left("left", { timeout_ms: 60_000 })).toEqual(near(60_000));
    expect(await left("left_here", { timeout_ms: 200_000 })).toEqual(near(100_000));
    expect(await left("left_for_ever")).toBe(null);
    expect(await gateway.call({ service: "context", requestType: "left" }, { timeoutMs: 150_000 })).toEqual(
      near(150_000),
    );
    const other = await startGateway();
    const pushed = nextEvent("config.push", ({ metadata }) => metadata.gateway === other.name);
    await startNode([other], { name: "n1", service: "context", functions: [service] });
    await pushed;
    expect(await other.call({ service: "context", requestType: "left" }, { timeoutMs: 200_000 })).toEqual(
      near(200_000),
    );
    expect(await other.call({ service: "context", requestType: "left_for_ever" })).toBe(null);
  });
});
