import { once } from "node:events";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import {
  answer,
  answerLength,
  cell,
  createCells,
  maxUnread,
  op,
  viewCells,
} from "../../../dist/worker/thread/thread-protocol.js";
import { until } from "../../support/until.ts";
import { fixture, openPool, run, start } from "../open-pool.ts";

const mebibyte = 1_048_576;
// With what an entry counts beside its text, of 1 MiB no more fit than these.
const mostUnread = maxUnread / mebibyte;

function holdMainThread(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end) Math.sqrt(2);
}

test("what a main thread that is busy does not read is bounded, and all is answered when it reads again", async () => {
  await using pool = openPool({ threads: 1 });
  const called = new Int32Array(new SharedArrayBuffer(4));
  await run(pool, "longText", [new Int32Array(new SharedArrayBuffer(4)), 1]);
  const calls = Array.from({ length: 200 }, () =>
    start(pool, "longText", [called, mebibyte], { maxResultBytes: 2 * mebibyte }),
  );
  await until(() => Atomics.load(called, 0) > 0);
  const before = Atomics.load(called, 0);
  holdMainThread(500);
  expect(Atomics.load(called, 0) - before).toBeLessThanOrEqual(mostUnread + 1);
  for (const call of calls) {
    const outcome = await call.outcome;
    expect("json" in outcome && outcome.json.length).toBe(mebibyte + 2);
  }
  expect(Atomics.load(called, 0)).toBe(200);
  expect(pool.status()).toMatchObject({ inFlight: 0, queued: 0 });
});

describe("a thread of which too much is unread", () => {
  /** A thread's loop without a pool: nothing is read before the test does. */
  async function startLoop() {
    const { port1, port2 } = new MessageChannel();
    const buffer = createCells(1_000);
    const file = new URL("../../../dist/worker/thread/thread-entry.cjs", import.meta.url).pathname;
    const workerData = { file, start: { port: port2, cells: buffer, maxOutputBytesPerSecond: 1_048_576 } };
    const worker = new Worker(
      "const { workerData } = require('node:worker_threads'); require(workerData.file).threadLoop(workerData.start)",
      { eval: true, workerData, transferList: [port2] },
    );
    const { numbers } = viewCells(buffer);
    const send = (...entries: unknown[]): void => port1.postMessage(entries);
    send(op.define, 0, fixture("functions.mjs"), "functions", "longText", false);
    send(op.define, 1, fixture("functions.mjs"), "functions", "never", false);
    return {
      port: port1,
      send,
      numbers,
      call: (slot: number, called: number, args: unknown[]) => [op.call, slot, called, 2 * mebibyte, null, args],
      unread: () => Atomics.load(numbers, cell.unread),
      end: async () => {
        send(op.stop, 0, null, null, null, null);
        await once(worker, "exit");
      },
    };
  }

  /** The slots that the next message answers, by what it says of them; null where there is none. */
  function read(port: MessagePort): (readonly [kind: number, slot: number])[] | null {
    const entries = receiveMessageOnPort(port)?.message as unknown[] | undefined;
    if (entries === undefined) return null;
    return Array.from({ length: entries.length / answerLength }, (_, at) => [
      entries[at * answerLength] as number,
      entries[at * answerLength + 1] as number,
    ]);
  }

  test("begins no calls, hears pings and cancellations, and goes on in the order in which it was asked", async () => {
    const { port, send, numbers, call, unread, end } = await startLoop();
    const called = new Int32Array(new SharedArrayBuffer(4));
    send(...call(0, 1, []));
    const slots = Array.from({ length: 60 }, (_, i) => i + 1);
    send(...slots.flatMap((slot) => call(slot, 0, [called, mebibyte])));
    await until(() => unread() >= maxUnread);
    send(op.ping, 7, null, null, null, null, op.cancel, 0, "cancelled", null, null, null);
    await until(() => Atomics.load(numbers, cell.pong) === 7);
    expect(Atomics.load(called, 0)).toBe(mostUnread);
    expect(unread()).toBeLessThan(maxUnread + 2 * mebibyte);
    const results: number[] = [];
    let isAbandoned = false;
    await until(() => {
      for (let entries = read(port); entries !== null; entries = read(port)) {
        for (const [kind, slot] of entries) {
          if (kind === answer.result) results.push(slot);
          if (kind === answer.abandoned && slot === 0) isAbandoned = true;
        }
        // As if all that is unread were read with it.
        Atomics.store(numbers, cell.unread, 0);
      }
      send(op.resume, 0, null, null, null, null);
      return results.length === slots.length && isAbandoned;
    });
    expect(results).toEqual(slots);
    await end();
  });
});
