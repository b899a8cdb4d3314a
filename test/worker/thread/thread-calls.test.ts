import type { MessagePort } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import type { RequestInfo } from "../../../src/core/request-info.ts";
import type { ServiceFunction } from "../../../src/execution/load-function.ts";
import { ThreadCalls } from "../../../src/worker/thread/thread-calls.ts";
import type { ThreadFunction } from "../../../src/worker/thread/thread-functions.ts";
import { ThreadMarks } from "../../../src/worker/thread/thread-marks.ts";
import { ThreadNested } from "../../../src/worker/thread/thread-nested.ts";
import { ThreadOutbox } from "../../../src/worker/thread/thread-outbox.ts";
import { answer, createCells, slotState, viewCells } from "../../../src/worker/thread/thread-protocol.ts";
import { identity } from "../../support/identity.ts";
import { settled } from "../../support/simulated-clock.ts";

/** A thread's calls, and the messages that the pool gets, each a list of [answer, slot, value]. */
function open() {
  const cells = viewCells(createCells(4));
  const messages: unknown[][][] = [];
  const port = {
    postMessage(entries: unknown[]) {
      const message: unknown[][] = [];
      for (let at = 0; at < entries.length; at += 3) message.push(entries.slice(at, at + 3));
      messages.push(message);
    },
  };
  const outbox = new ThreadOutbox(port as unknown as MessagePort, cells);
  const calls = new ThreadCalls(outbox, new ThreadMarks(cells), new ThreadNested(outbox));
  const called = { heldMs: 0 } as ThreadFunction;
  const call = (slot: number, run: (info: RequestInfo) => unknown, maxBytes = 1_000) => {
    cells.states[slot] = slotState.sent;
    calls.run(slot, called, run as ServiceFunction, maxBytes, identity, []);
  };
  const heard = () => {
    outbox.flush();
    return messages.splice(0).flat();
  };
  return { calls, called, call, cells, messages, outbox, heard };
}

describe("a thread's call", () => {
  test("is answered with its result, or with what it threw, now or later", async () => {
    const { call, heard } = open();
    call(0, () => 1);
    call(1, () => {
      throw new Error("now");
    });
    call(2, async () => 2);
    call(3, async () => {
      throw new Error("later");
    });
    const internal = (message: string) => expect.objectContaining({ cause: expect.objectContaining({ message }) });
    expect(heard()).toEqual([
      [answer.result, 0, "1"],
      [answer.failure, 1, internal("now")],
    ]);
    await settled();
    expect(heard()).toEqual([
      [answer.result, 2, "2"],
      [answer.failure, 3, internal("later")],
    ]);
  });

  test("whose result has more bytes than allowed fails", () => {
    const { call, heard } = open();
    call(0, () => "x".repeat(8), 10);
    call(1, () => "x".repeat(9), 10);
    expect(heard().map(([what]) => what)).toEqual([answer.result, answer.failure]);
  });

  test("that the pool took back before is not called", () => {
    const { calls, called, cells, heard } = open();
    cells.states[0] = slotState.withdrawn;
    calls.run(0, called, () => expect.unreachable(), 1_000, null, []);
    expect(heard()).toEqual([[answer.withdrawn, 0, null]]);
  });

  test("that is given up frees its slot at once; what it comes to later is dropped, and only that it has settled is told", async () => {
    const { calls, call, heard } = open();
    let settle: (value: unknown) => void = () => undefined;
    const reasons: unknown[] = [];
    call(0, ({ signal }) => {
      signal.addEventListener("abort", () => reasons.push((signal.reason as { code: unknown }).code));
      return new Promise((resolve) => (settle = resolve));
    });
    calls.cancel(0, "timeout");
    calls.cancel(0, "timeout");
    expect([heard(), reasons.length]).toEqual([[[answer.abandoned, 0, null]], 1]);
    call(0, async () => "next");
    settle("late");
    await settled();
    expect(heard()).toEqual([
      [answer.result, 0, '"next"'],
      [answer.settled, 0, null],
    ]);
    calls.cancel(0, "timeout");
    expect(heard()).toEqual([]);
  });

  test("is told when its thread stops", () => {
    const { calls, call } = open();
    const aborted: string[] = [];
    for (const slot of [0, 1]) {
      call(slot, ({ signal }) => {
        signal.addEventListener("abort", () => aborted.push(`${slot}`));
        return new Promise(() => undefined);
      });
    }
    calls.cancelAll("stopped");
    expect(aborted).toEqual(["0", "1"]);
  });

  test("lets the answers before it leave first where its function held the thread, or nobody knows yet", () => {
    const { call, called, outbox, messages } = open();
    const before = [answer.result, 3, "before"] as const;
    outbox.put(...before);
    called.heldMs = Number.POSITIVE_INFINITY;
    call(0, () => expect(messages).toEqual([[before]]));
    // Nobody knew it: now it is known how long it takes.
    expect(called.heldMs).toBeLessThan(Number.POSITIVE_INFINITY);
    outbox.flush();
    messages.length = 0;
    outbox.put(...before);
    called.heldMs = 0;
    call(1, () => {
      expect(messages).toEqual([]);
      const until = performance.now() + 1;
      while (performance.now() < until);
    });
    expect(called.heldMs).toBeGreaterThan(0.3);
    expect(messages).toEqual([[before, [answer.result, 1, "null"]]]);
  });
});
