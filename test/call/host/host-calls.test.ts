import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { HostCalls } from "../../../src/call/host/host-calls.ts";
import { GenApiError } from "../../../src/core/errors.ts";
import { pipelineOf } from "../../support/pipeline.ts";
import { recordEvents } from "../../support/record-events.ts";

const echo = { requestType: "echo", runOn: "worker" } as const;
const named = { service: "s", requestType: "echo" };

test("a call leaves nothing on the signal that it was given, however it ends", async () => {
  const { pipeline, clock, onWorker } = await pipelineOf(echo);
  const host = new HostCalls(pipeline);
  const { signal } = new AbortController();
  const answered = host.request(named, { signal, timeoutMs: 500 });
  const late = host.request(named, { signal, timeoutMs: 500 });
  // One for both: Node warns of a leak where there are more than ten.
  expect(getEventListeners(signal, "abort").length).toBe(1);
  onWorker[0]?.attempt.succeeded("1");
  expect(await answered).toMatchObject({ result: 1 });
  clock.advance(500);
  expect(await late).toMatchObject({ error_code: "timeout", error: "Request timed out after 500 ms" });
  expect(getEventListeners(signal, "abort").length).toBe(0);
  clock.advance(100_000);
  expect(clock.pending).toBe(0);
});

test("a signal that has aborted already cancels before anything runs", async () => {
  const { pipeline, onWorker } = await pipelineOf(echo);
  const host = new HostCalls(pipeline);
  await expect(host.call(named, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
  expect(onWorker).toEqual([]);
});

test("a signal that has aborted already cancels a stream before anything runs", async () => {
  const { pipeline, streams } = await pipelineOf({ ...echo, responseType: "stream" });
  const host = new HostCalls(pipeline);
  const taken = host.stream(named, { signal: AbortSignal.abort() }).next();
  await expect(taken).rejects.toMatchObject({ code: "cancelled", canRetry: true });
  expect(streams).toEqual([]);
});

test("a call that its host gave up counts as what the host was answered; to its function it was cancelled", async () => {
  const { pipeline, clock, onWorker, counts } = await pipelineOf(echo);
  using stopped = recordEvents("executor.request.stop");
  const answer = new HostCalls(pipeline).request(named, { timeoutMs: 500 });
  clock.advance(500);
  expect(await answer).toMatchObject({ error_code: "timeout", error: "Request timed out after 500 ms" });
  expect(onWorker[0]?.cancelled).toBe("cancelled");
  expect(stopped.messages.map(({ metadata }) => metadata)).toMatchObject([{ error_code: "timeout" }]);
  expect(counts.totals).toEqual({ succeeded: 0, failed: { timeout: 1 } });
});

test("a stream that takes longer than its host waits ends as `timeout`, cancelled, after the chunks that had come", async () => {
  const { pipeline, clock, streams, counts } = await pipelineOf({ ...echo, responseType: "stream" });
  const host = new HostCalls(pipeline);
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
  expect(await new HostCalls(pipeline).request(named)).toMatchObject({
    error_code: "invalid_request",
    error: "Invalid request: s.echo is a stream: take it with stream()",
  });
  expect(streams[0]?.cancelled).toBe("cancelled");
  expect(clock.pending).toBe(0);
  expect(counts.totals).toEqual({ succeeded: 0, failed: { invalid_request: 1 } });
});

test("a function that is no stream is a stream of its result, or of nothing where it is of type none", async () => {
  const { pipeline, onWorker, counts } = await pipelineOf(
    echo,
    { ...echo, requestType: "later", responseType: "async" },
    { ...echo, requestType: "cast", responseType: "none" },
  );
  const host = new HostCalls(pipeline);
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
  const answer = new HostCalls(pipeline).request(named, { timeoutMs: Number.POSITIVE_INFINITY });
  await new Promise((resolve) => setTimeout(resolve, 5));
  onWorker[0]?.attempt.succeeded("1");
  expect(await answer).toMatchObject({ result: 1 });
});

test("an empty user id is nobody", async () => {
  const { pipeline } = await pipelineOf({ requestType: "echo", checkPermission: "any_authenticated" });
  const host = new HostCalls(pipeline);
  await expect(host.call({ ...named, userId: "" })).rejects.toMatchObject({ code: "permission_denied" });
});

test("leaving a stream while it is silent ends it at once: who waits for a chunk gets `done`, its place is free", async () => {
  const { pipeline, clock, streams } = await pipelineOf({ ...echo, responseType: "stream" });
  const { signal } = new AbortController();
  const stream = new HostCalls(pipeline).stream(named, { signal, timeoutMs: 500 });
  const first = stream.next();
  streams[0]?.stream.chunk('"a"');
  expect(await first).toEqual({ done: false, value: "a" });
  const waiting = [stream.next(), stream.next()];
  expect(await stream.return()).toEqual({ done: true, value: undefined });
  expect(await Promise.all(waiting)).toEqual([
    { done: true, value: undefined },
    { done: true, value: undefined },
  ]);
  expect(streams[0]?.cancelled).toBe("cancelled");
  expect(await stream.next()).toMatchObject({ done: true });
  expect(getEventListeners(signal, "abort").length).toBe(0);
  clock.advance(100_000);
  expect(clock.pending).toBe(0);
});

test("overlapping calls of next get a stream's chunks in order, and its failure once", async () => {
  const { pipeline, streams } = await pipelineOf({ ...echo, responseType: "stream" });
  const stream = new HostCalls(pipeline).stream(named);
  const taken = [stream.next(), stream.next(), stream.next(), stream.next()];
  streams[0]?.stream.chunk("1");
  streams[0]?.stream.chunk("2");
  streams[0]?.stream.failed(new GenApiError("sold_out", "Nothing left"), true);
  expect(await Promise.allSettled(taken)).toMatchObject([
    { value: { value: 1 } },
    { value: { value: 2 } },
    { status: "rejected", reason: { reason: "sold_out" } },
    { value: { done: true } },
  ]);
});

const perAddress = { key: "ipAddress", maxRequests: 1, windowMs: 60_000 } as const;

test("a request is limited by the address that its host names, in whichever form it is written", async () => {
  const { pipeline, rateLimiter } = await pipelineOf({ requestType: "echo" });
  const host = new HostCalls(pipeline);
  rateLimiter.updateConfig({ globalLimits: [perAddress] });
  const codeFor = async (ipAddress?: string | null) =>
    (await host.request({ ...named, ...(ipAddress === undefined ? {} : { ipAddress }) })).error_code ?? "ok";
  expect([await codeFor("10.0.0.1"), await codeFor("::ffff:10.0.0.1"), await codeFor("10.0.0.2")]).toEqual([
    "ok",
    "rate_limited",
    "ok",
  ]);
  expect([await codeFor("2001:DB8::1"), await codeFor("2001:db8:0:0:ffff::2")]).toEqual(["ok", "rate_limited"]);
  expect([await codeFor(), await codeFor(), await codeFor(null)]).toEqual(["ok", "ok", "ok"]);
});

test.each([["localhost"], ["10.0.0.1, 10.0.0.2"], ["10.0.0.1:80"], [""], [7], [{}]])(
  "%o is no address: the request is refused before anything runs",
  async (ipAddress) => {
    const { pipeline, onWorker, streams } = await pipelineOf(echo);
    const host = new HostCalls(pipeline);
    const request = { ...named, ipAddress: ipAddress as string };
    const message = expect.stringMatching(/^Invalid request: ipAddress must be an IP address or null, got /);
    expect(await host.request(request)).toMatchObject({
      success: false,
      error_code: "invalid_request",
      error: message,
    });
    await expect(host.call(request)).rejects.toMatchObject({ code: "invalid_request", message });
    await expect(host.stream(request).next()).rejects.toMatchObject({ code: "invalid_request", message });
    expect([...onWorker, ...streams]).toEqual([]);
  },
);

// Named by a text: the reporter cannot show the signals.
const unusable: readonly [name: string, asked: readonly unknown[], code: string, message: string][] = [
  ["no request", [null], "invalid_request", "a request must be an object, got null"],
  ["nothing", [], "invalid_request", "a request must be an object, got"],
  ["null as options", [named, null], "invalid_option", "options must be an object, got null"],
  [
    "a signal of its own making",
    [named, { signal: { aborted: true } }],
    "invalid_option",
    "signal must be an AbortSignal",
  ],
  [
    "a signal that only inherits",
    [named, { signal: Object.create(AbortSignal.prototype) }],
    "invalid_option",
    "signal must be an AbortSignal",
  ],
];

test.each(unusable.map(([name], row) => [name, row] as const))(
  "a call with %s is refused by name, and nothing runs",
  async (_, row) => {
    const [, given, code, message] = unusable[row] as (typeof unusable)[number];
    const { pipeline, onWorker } = await pipelineOf(echo);
    const host = new HostCalls(pipeline);
    const asked = given as unknown as Parameters<HostCalls["call"]>;
    const refused = { code, message: expect.stringContaining(message) };
    await expect(host.call(...asked)).rejects.toMatchObject(refused);
    expect(await host.request(...asked)).toMatchObject({ success: false, error_code: code });
    await expect(host.stream(...asked).next()).rejects.toMatchObject(refused);
    expect(onWorker).toEqual([]);
  },
);

test("a signal whose addEventListener throws still cancels its call", async () => {
  const { pipeline } = await pipelineOf(echo);
  const controller = new AbortController();
  const addEventListener = () => {
    throw new Error("spoilt");
  };
  const signal = Object.assign(controller.signal, { addEventListener });
  const answered = new HostCalls(pipeline).request(named, { signal });
  controller.abort();
  expect(await answered).toMatchObject({ error_code: "cancelled" });
});
