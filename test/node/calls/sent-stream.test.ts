import { describe, expect, test } from "vitest";
import { streamWindow, windowSize } from "../../../src/execution/stream-credit.ts";
import type { RemoteStream } from "../../../src/node/calls/remote-call.ts";
import { SentStream } from "../../../src/node/calls/sent-call.ts";

/** A stream of the usual window whose consumer throws where it is told to. */
function open(throws = false) {
  const log: string[] = [];
  const say = (what: string) => {
    log.push(what);
    if (throws) throw new Error("listener");
  };
  const target = {
    chunk: (json: string) => say(json),
    ended: (json: string | null) => say(`ended ${json}`),
    failed: ({ code }: { code: string }) => say(`failed ${code}`),
  };
  const owner = {
    cancel: (_pending: unknown, reason: string) => void log.push(`cancel ${reason}`),
    grant: (_pending: unknown, chunks: number) => void log.push(`grant ${chunks}`),
    acknowledge: (_pending: unknown, chunks: number) => void log.push(`acknowledge ${chunks}`),
    listenerThrew: (_pending: unknown, thrown: unknown) => void log.push(`threw ${(thrown as Error).message}`),
  };
  return { log, stream: new SentStream(owner, target as unknown as RemoteStream, {} as never, streamWindow) };
}

describe("a stream of a node", () => {
  test("may be twice its window ahead of its consumer, in chunks, and no further", () => {
    const { stream } = open();
    for (let chunk = 0; chunk < 2 * streamWindow; chunk++) expect(stream.chunk("1")).toBe(true);
    expect(stream.chunk("1")).toBe(false);
    stream.grant(streamWindow);
    expect(stream.chunk("1")).toBe(true);
  });

  test("may be so in the size of its chunks, of which the last may be larger", () => {
    const { stream } = open();
    const most = windowSize(2 * streamWindow);
    expect(stream.chunk("x".repeat(most - 1))).toBe(true);
    expect(stream.chunk("x".repeat(100))).toBe(true);
    expect(stream.chunk("x")).toBe(false);
  });

  test("grants the node what its consumer has taken, and no more than came", () => {
    const { stream, log } = open();
    stream.grant(5);
    expect(log).toEqual([]);
    for (let chunk = 0; chunk < streamWindow; chunk++) stream.chunk("1");
    log.length = 0;
    stream.grant(1_000);
    stream.grant(1_000);
    expect(log).toEqual([`grant ${streamWindow}`]);
  });

  test("goes on where its consumer throws, which its gateway is told", () => {
    const { stream, log } = open(true);
    expect(stream.chunk("1")).toBe(true);
    stream.ended(null);
    stream.failed({ code: "unavailable" } as never, true);
    expect(log).toEqual([
      "1",
      "threw listener",
      "ended null",
      "threw listener",
      "failed unavailable",
      "threw listener",
    ]);
  });
});
