import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { HostCalls } from "../../src/call/host-calls.ts";
import { systemClock } from "../../src/core/clock.ts";
import { pipelineOf } from "../support/pipeline.ts";
import { recordEvents } from "../support/record-events.ts";

const echo = { requestType: "echo", runOn: "worker" } as const;
const named = { service: "s", requestType: "echo" };

test("a call leaves nothing on the signal that it was given, however it ends", async () => {
  const { pipeline, clock, onWorker } = await pipelineOf(echo);
  const host = new HostCalls(pipeline, clock);
  const { signal } = new AbortController();
  const answered = host.request(named, { signal, timeoutMs: 500 });
  const late = host.request(named, { signal, timeoutMs: 500 });
  expect(getEventListeners(signal, "abort").length).toBe(2);
  onWorker[0]?.attempt.succeeded("1");
  expect(await answered).toMatchObject({ result: 1 });
  clock.advance(500);
  expect(await late).toMatchObject({ error_code: "timeout", error: "Request timed out after 500 ms" });
  expect(getEventListeners(signal, "abort").length).toBe(0);
  clock.advance(100_000);
  expect(clock.pending).toBe(0);
});

test("a signal that has aborted already cancels before anything runs", async () => {
  const { pipeline, clock, onWorker } = await pipelineOf(echo);
  const host = new HostCalls(pipeline, clock);
  await expect(host.call(named, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
  expect(onWorker).toEqual([]);
});

test("a signal that has aborted already cancels a stream before anything runs", async () => {
  const { pipeline, clock, streams } = await pipelineOf({ ...echo, responseType: "stream" });
  const host = new HostCalls(pipeline, clock);
  const taken = host.stream(named, { signal: AbortSignal.abort() }).next();
  await expect(taken).rejects.toMatchObject({ code: "cancelled", canRetry: true });
  expect(streams).toEqual([]);
});

test("a call that its host gave up counts as what the host was answered; to its function it was cancelled", async () => {
  const { pipeline, clock, onWorker, counts } = await pipelineOf(echo);
  using stopped = recordEvents("executor.request.stop");
  const answer = new HostCalls(pipeline, clock).request(named, { timeoutMs: 500 });
  clock.advance(500);
  expect(await answer).toMatchObject({ error_code: "timeout", error: "Request timed out after 500 ms" });
  expect(onWorker[0]?.cancelled).toBe("cancelled");
  expect(stopped.messages.map(({ metadata }) => metadata)).toMatchObject([{ error_code: "timeout" }]);
  expect(counts.totals).toEqual({ succeeded: 0, failed: { timeout: 1 } });
});

test("a stream that takes longer than its host waits ends as `timeout`, cancelled, after the chunks that had come", async () => {
  const { pipeline, clock, streams, counts } = await pipelineOf({ ...echo, responseType: "stream" });
  const host = new HostCalls(pipeline, clock);
  const stream = host.stream(named, { timeoutMs: 500 });
  const first = stream.next();
  streams[0]?.stream.chunk('"a"');
  streams[0]?.stream.chunk('"b"');
  expect(await first).toMatchObject({ value: "a" });
  clock.advance(500);
  expect(streams[0]?.cancelled).toBe("cancelled");
  expect(await stream.next()).toMatchObject({ value: "b" });
  const error = { code: "timeout", message: "Request timed out after 500 ms" };
  await expect(stream.next()).rejects.toMatchObject(error);
  expect(counts.totals).toEqual({ succeeded: 0, failed: { timeout: 1 } });
  expect(clock.pending).toBe(0);
});

test("a stream that was asked for as a call is ended, and counts as the invalid request it was", async () => {
  const { pipeline, clock, streams, counts } = await pipelineOf({ ...echo, responseType: "stream" });
  expect(await new HostCalls(pipeline, clock).request(named)).toMatchObject({
    error_code: "invalid_request",
    error: "Invalid request: s.echo is a stream: take it with stream()",
  });
  expect(streams[0]?.cancelled).toBe("cancelled");
  expect(counts.totals).toEqual({ succeeded: 0, failed: { invalid_request: 1 } });
});

test("a function that is no stream is a stream of its result, or of nothing where it is of type none", async () => {
  const { pipeline, clock, onWorker, counts } = await pipelineOf(
    echo,
    { ...echo, requestType: "later", responseType: "async" },
    { ...echo, requestType: "cast", responseType: "none" },
  );
  const host = new HostCalls(pipeline, clock);
  const all = async (requestType: string) => {
    const results: unknown[] = [];
    for await (const result of host.stream({ service: "s", requestType })) results.push(result);
    return results;
  };
  const taken = Promise.all(["echo", "later", "cast"].map(all));
  onWorker[0]?.attempt.succeeded("1");
  onWorker[1]?.attempt.succeeded("2");
  onWorker[2]?.attempt.succeeded("3");
  expect(await taken).toEqual([[1], [2], []]);
  expect(counts.totals).toEqual({ succeeded: 3, failed: {} });
});

test("a call may be waited for without end", async () => {
  const { pipeline, onWorker } = await pipelineOf(echo);
  const answer = new HostCalls(pipeline, systemClock).request(named, { timeoutMs: Number.POSITIVE_INFINITY });
  await new Promise((resolve) => setTimeout(resolve, 5));
  onWorker[0]?.attempt.succeeded("1");
  expect(await answer).toMatchObject({ result: 1 });
});

test("an empty user id is nobody", async () => {
  const { pipeline, clock } = await pipelineOf({ requestType: "echo", checkPermission: "any_authenticated" });
  const host = new HostCalls(pipeline, clock);
  await expect(host.call({ ...named, userId: "" })).rejects.toMatchObject({ code: "permission_denied" });
});
