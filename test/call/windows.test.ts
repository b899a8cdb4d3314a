import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HostCalls } from "../../src/call/host/host-calls.ts";
import { GenApiError } from "../../src/core/errors.ts";
import { pipelineOf } from "../support/pipeline.ts";

const stream = { requestType: "numbers", responseType: "stream", runOn: "worker", timeout: 1_000 } as const;
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** A stream with a window that has sent these chunks. */
async function opened(window: number | null, chunks = 0) {
  const parts = await pipelineOf(stream);
  const { calls } = parts.request("numbers", window === null ? {} : { window });
  const [produced] = parts.streams;
  if (produced === undefined) throw new Error("There is no stream");
  for (let chunk = 1; chunk <= chunks; chunk++) produced.stream.chunk(String(chunk));
  return { ...parts, calls, produced };
}

describe("a stream with a window", () => {
  test("numbers its chunks and its end, and tells the producer of the window", async () => {
    const { produced, sent } = await opened(8, 2);
    produced.stream.ended("3");
    expect(produced.stream.window).toBe(8);
    expect(sent.map(({ response }) => [response.result, response.seq])).toEqual([
      ["init", undefined],
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  test("numbers a failed end, whether or not a hook has changed it", async () => {
    const { produced, sent } = await opened(8, 1);
    produced.stream.failed(new GenApiError("sold_out", "Nothing left"), true);
    expect(sent.at(-1)?.response).toMatchObject({ seq: 2, success: false, error: "Nothing left" });
    const hooked = await pipelineOf({
      ...stream,
      afterExecute: { module: "m", function: "answers", args: ["changed"] },
    });
    hooked.request("numbers", { window: 1 });
    hooked.streams[0]?.stream.ended(null);
    expect(hooked.sent.at(-1)?.response).toMatchObject({ seq: 1, has_more: false });
  });

  test("that is refused has no number", async () => {
    const { request, sent } = await pipelineOf({ ...stream, argTypes: { n: "num" } });
    request("numbers", { window: 1, args: { n: "x" } });
    expect(sent[0]?.response).not.toHaveProperty("seq");
  });

  test("passes acknowledgements on, each number once, and refuses numbers that were not sent", async () => {
    const { calls, produced } = await opened(8, 5);
    expect(calls.acknowledge("r1", 3)).toBeNull();
    expect(calls.acknowledge("r1", 2)).toBeNull();
    expect(calls.acknowledge("r1", 0)).toBeNull();
    expect(produced.acknowledged).toBe(3);
    for (const seq of [6, -1, 1.5, "5", null, undefined, Number.NaN]) {
      expect(calls.acknowledge("r1", seq)).toBe("invalid_seq");
    }
    for (const id of ["r2", 1, null, undefined]) expect(calls.acknowledge(id, 5)).toBe("not_found");
    expect(calls.acknowledge("r1", 5)).toBeNull();
    expect(produced.acknowledged).toBe(5);
  });

  test("has credit of its socket besides, and the other way round", async () => {
    const { produced, socket, calls } = await opened(8, 2);
    expect(produced.granted).toBe(2);
    socket.isReady = false;
    produced.stream.chunk("3");
    calls.acknowledge("r1", 3);
    expect([produced.granted, produced.acknowledged]).toEqual([2, 3]);
  });

  test("gives its function no more time because of acknowledgements", async () => {
    const { produced, clock, calls } = await opened(8, 2);
    clock.advance(600);
    calls.acknowledge("r1", 1);
    clock.advance(400);
    expect(produced.cancelled).toBe("timeout");
  });

  test("that is full waits for its client, not its function: an acknowledgement lets the function's time begin", async () => {
    const { produced, clock, calls } = await opened(2, 2);
    clock.advance(30_000);
    expect(produced.cancelled).toBeNull();
    calls.acknowledge("r1", 1);
    clock.advance(999);
    expect(produced.cancelled).toBeNull();
    clock.advance(1_001);
    expect(produced.cancelled).toBe("timeout");
  });

  test("that stays full for streamStallTimeoutMs is ended; the same number again says that the client lives", async () => {
    const { produced, clock, calls, sent, running } = await opened(2, 2);
    clock.advance(50_000);
    calls.acknowledge("r1", 0);
    clock.advance(50_000);
    expect(produced.cancelled).toBeNull();
    clock.advance(11_000);
    expect(produced.cancelled).toBe("disconnected");
    expect(sent.at(-1)?.response).toMatchObject({ error_code: "cancelled", seq: 3 });
    expect([running.size, clock.pending]).toEqual([0, 0]);
  });
});

test("a stream without a window has no numbers, and nothing of it can be acknowledged", async () => {
  const { produced, sent, calls } = await opened(null, 2);
  expect(calls.acknowledge("r1", 1)).toBe("invalid_seq");
  produced.stream.ended(null);
  for (const { response } of sent) expect(response).not.toHaveProperty("seq");
  expect([produced.stream.window, produced.acknowledged]).toEqual([null, 0]);
});

test("a window in a request of another kind is ignored", async () => {
  const { request, sent } = await pipelineOf({ requestType: "echo" });
  request("echo", { window: 4 });
  expect(sent[0]?.response).not.toHaveProperty("seq");
  expect(sent[0]?.response).toMatchObject({ success: true });
});

test(`whatever is acknowledged, the producer is allowed exactly what the client has consumed (seed ${seed})`, async () => {
  const step = fc.oneof(fc.constant("chunk" as const), fc.nat(12));
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 60 }), async (window, steps) => {
      const { produced, calls } = await opened(window);
      let [sent, consumed] = [0, 0];
      for (const each of steps) {
        if (each === "chunk") {
          if (sent - consumed < window) produced.stream.chunk(String(++sent));
          continue;
        }
        expect(calls.acknowledge("r1", each)).toBe(each <= sent ? null : "invalid_seq");
        if (each <= sent) consumed = Math.max(consumed, each);
        expect(produced.acknowledged).toBe(consumed);
        expect(produced.stream.unacknowledged).toBe(sent - consumed);
      }
    }),
    { seed },
  );
});

test("a host's stream with a window acknowledges what its loop takes", async () => {
  const { pipeline, streams } = await pipelineOf(stream);
  const taken = new HostCalls(pipeline).stream({ service: "s", requestType: "numbers", window: 2 });
  const first = taken.next();
  const [produced] = streams;
  produced?.stream.chunk("1");
  produced?.stream.chunk("2");
  produced?.stream.chunk("3");
  expect(await first).toMatchObject({ value: 1 });
  expect(produced?.acknowledged).toBe(1);
  expect(await taken.next()).toMatchObject({ value: 2 });
  expect(produced?.acknowledged).toBe(2);
  await taken.return();
  const wrong = new HostCalls(pipeline).stream({ service: "s", requestType: "numbers", window: 0 });
  const message = "Invalid request: window must be a whole number from 1 to 1024 or null, got 0";
  await expect(wrong.next()).rejects.toMatchObject({ code: "invalid_request", message });
});
