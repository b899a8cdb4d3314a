import { type CallOptions, connect } from "gen-api/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeSocket } from "./fake-socket.ts";

// What a real network and a real gateway do only by chance, in time that the test moves.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const response = (requestId: unknown, fields: object) => ({
  request_id: requestId,
  result: null,
  success: true,
  error: null,
  async: true,
  has_more: true,
  can_retry: false,
  ...fields,
});

async function stream(socket: FakeSocket, options: CallOptions = {}) {
  const client = connect(socket);
  socket.join();
  const chunks = client.call("s", "ticks", {}, options)[Symbol.asyncIterator]();
  const id = socket.sent[0]?.payload.request_id;
  const chunk = (seq: number) => socket.receive("api", response(id, { result: seq, seq }));
  socket.receive("api", response(id, { result: "init", resume_token: "token" }));
  return { client, chunks, chunk, id };
}

const acknowledgements = (socket: FakeSocket) =>
  socket.sent.filter(({ event }) => event === "ack").map(({ payload }) => payload.seq);

test("a socket that goes while its gateway drains, which nobody tells, leaves no call pending", async () => {
  const socket = new FakeSocket();
  const client = connect(socket);
  socket.join();
  const call = client.call("s", "f");
  const failed = expect(call).rejects.toMatchObject({
    code: "disconnected",
    reason: "connection_lost",
    canRetry: true,
  });
  await vi.advanceTimersByTimeAsync(0);
  expect(socket.sent).toHaveLength(1);
  socket.receive("phx_error", { reason: "draining" });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(client.status).toBe("connecting");
  socket.isOpen = false;
  await vi.advanceTimersByTimeAsync(1_000);
  await failed;
  client.close();
});

test("while a call waits, a socket that was given up is told to connect; without one it is left alone", async () => {
  const socket = new FakeSocket();
  const client = connect(socket);
  expect(socket.connects).toBe(1);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(socket.connects).toBe(1);
  const call = client.call("s", "f");
  const failed = expect(call).rejects.toMatchObject({ code: "disconnected" });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(socket.connects).toBe(3);
  client.close();
  await failed;
  expect(vi.getTimerCount()).toBe(0);
});

test("a loop that is slow says that it is still there, and acknowledges no more than it has done with", async () => {
  const socket = new FakeSocket();
  const { client, chunks, chunk } = await stream(socket);
  chunk(1);
  chunk(2);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(acknowledgements(socket)).toEqual([0]);
  expect(await chunks.next()).toEqual({ done: false, value: 1 });
  expect(await chunks.next()).toEqual({ done: false, value: 2 });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(acknowledgements(socket)).toEqual([0, 1]);
  client.close();
});

test("over the next socket a stream asks for what comes after what it has, and takes nothing twice", async () => {
  const socket = new FakeSocket();
  const { client, chunks, chunk, id } = await stream(socket);
  chunk(1);
  chunk(2);
  socket.isOpen = false;
  socket.receive("phx_error", { source: "transport", reason: "connection_closed" });
  socket.join();
  expect(socket.sent.at(-1)).toMatchObject({
    event: "resume",
    payload: { request_id: id, resume_token: "token", seq: 2 },
  });
  socket.receive("phx_reply", { status: "ok", response: {} }, String(id));
  chunk(2);
  chunk(3);
  const values = [await chunks.next(), await chunks.next(), await chunks.next()].map(({ value }) => value);
  expect(values).toEqual([1, 2, 3]);
  client.close();
});

test("a stream that another client with its key has taken over ends: it asks whether it is still the client's own", async () => {
  const socket = new FakeSocket();
  const { client, chunks, chunk, id } = await stream(socket, { idempotent: "k1" });
  expect(socket.sent[0]?.payload.idempotency_key).toBe("k1");
  chunk(1);
  expect(await chunks.next()).toEqual({ done: false, value: 1 });
  const next = chunks.next();
  const failed = expect(next).rejects.toMatchObject({ code: "disconnected", reason: "not_found", canRetry: true });
  for (const answer of [
    { status: "ok", response: {} },
    { status: "error", response: { reason: "not_found" } },
  ]) {
    await vi.advanceTimersByTimeAsync(20_000);
    expect(socket.sent.at(-1)).toMatchObject({ event: "ack", ref: id, payload: { seq: 1 } });
    socket.receive("phx_reply", answer, String(id));
  }
  await failed;
  client.close();
});

test("a stream that was taken over acknowledges by the numbers that its chunks have", async () => {
  const socket = new FakeSocket();
  const { client, chunks, chunk } = await stream(socket, { idempotent: "k1", window: 2 });
  for (const seq of [17, 18]) {
    chunk(seq);
    expect(await chunks.next()).toEqual({ done: false, value: seq });
  }
  const next = chunks.next();
  expect(acknowledgements(socket)).toEqual([17, 18]);
  chunk(19);
  await next;
  client.close();
});
