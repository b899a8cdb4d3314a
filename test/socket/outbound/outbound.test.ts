import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import type { OpenSocket } from "../../../src/socket/outbound/open-socket.ts";
import { Outbound } from "../../../src/socket/outbound/outbound.ts";
import { messagesIn } from "../../support/network/hand-made-frames.ts";
import { settled } from "../../support/simulated-clock.ts";

/** A socket whose client takes nothing until `drain`, and what goes out to it. */
function open(maxBufferedBytes = 1_000_000) {
  const written: Buffer[] = [];
  const taken: (() => void)[] = [];
  let isReading = false;
  const socket = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      if (isReading) done();
      else taken.push(done);
    },
  });
  const told = { overflows: 0, held: [] as number[] };
  const transport = { socket, isOpen: true };
  const outbound = new Outbound(transport as unknown as OpenSocket, maxBufferedBytes, {
    onOverflow: () => told.overflows++,
    onHeld: (bytes) => told.held.push(bytes),
  });
  return {
    outbound,
    socket,
    transport,
    told,
    /** The messages that the client has got. */
    messages: () => messagesIn(Buffer.concat(written)),
    /** The client takes all that waits for it, until there is no more. */
    async drain() {
      isReading = true;
      for (const done of taken.splice(0)) done();
      await settled();
      isReading = false;
    },
  };
}

const large = "x".repeat(300_000);

describe("what goes out to a socket", () => {
  test("is written at the end of the turn, in its order, whatever its characters", async () => {
    const { outbound, socket, messages, drain } = open();
    const sent = ["one", "zwölf", "", "three", "\u{1f600}"];
    for (const message of sent) outbound.send(message);
    expect(socket.writableLength).toBe(0);
    await drain();
    expect(messages()).toEqual(sent);
    outbound.send("later");
    await drain();
    expect(messages()).toEqual([...sent, "later"]);
  });

  test("arrives as it was, whatever its length", async () => {
    const { outbound, messages, drain } = open();
    const sent = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000].flatMap((length) => [
      "x".repeat(length),
      "é".repeat(length),
    ]);
    for (const message of sent) outbound.send(message);
    await drain();
    expect(messages()).toEqual(sent);
  });

  test("is written before that as soon as it is 64 KiB", () => {
    const { outbound, socket } = open();
    // With its header it has one byte less.
    outbound.send("x".repeat(65_535 - 4));
    expect(socket.writableLength).toBe(0);
    outbound.send("");
    expect(socket.writableLength).toBe(65_535 + 2);
  });

  test("is dropped when the socket is closing", async () => {
    const { outbound, socket, transport } = open();
    outbound.send("late");
    transport.isOpen = false;
    await settled();
    expect(socket.writableLength).toBe(0);
    transport.isOpen = true;
    outbound.flush();
    expect(socket.writableLength).toBe(0);
  });
});

describe("whoever waits for a reader", () => {
  test("is called once, when the reader has caught up", async () => {
    const { outbound, drain } = open();
    const calls: string[] = [];
    outbound.send(large);
    expect(outbound.isReady).toBe(false);
    outbound.whenReady(() => calls.push("first"));
    outbound.whenReady(() => calls.push("second"));
    await settled();
    expect(calls).toEqual([]);
    await drain();
    expect([calls, outbound.isReady]).toEqual([["first", "second"], true]);
    // Nor when there is more to catch up with.
    outbound.send(large);
    await drain();
    outbound.whenReady(() => calls.push("third"));
    expect(calls).toEqual(["first", "second", "third"]);
  });

  test("is called at the end of the turn in which what was gathered is small enough", async () => {
    const { outbound } = open();
    let calls = 0;
    outbound.send("small");
    outbound.whenReady(() => calls++);
    expect(calls).toBe(0);
    await settled();
    expect(calls).toBe(1);
  });

  test("is called at once when nothing is to be sent", () => {
    let calls = 0;
    open().outbound.whenReady(() => calls++);
    expect(calls).toBe(1);
  });

  test("is not called while the reader takes less than streams must leave free", async () => {
    const { outbound, socket } = open();
    outbound.send("x".repeat(262_143 - 10));
    await settled();
    expect([socket.writableLength, outbound.isReady]).toEqual([262_143, true]);
    outbound.send("");
    await settled();
    expect(outbound.isReady).toBe(false);
  });
});

describe("what waits for a reader", () => {
  test("is told as it grows, once it is more than a socket always may hold, and as it goes", async () => {
    const { outbound, told, drain } = open();
    outbound.send("x".repeat(60_000));
    await settled();
    expect(told.held).toEqual([]);
    outbound.send("x".repeat(60_000));
    await settled();
    expect(told.held).toEqual([120_008]);
    await drain();
    expect(told.held).toEqual([120_008, -120_008]);
  });

  test("may be as much as the bound, and one message beyond it; with another the socket has too much", async () => {
    const { outbound, told } = open(100_000);
    outbound.send("x".repeat(99_990));
    await settled();
    outbound.send("x".repeat(99_990));
    await settled();
    expect(told.overflows).toBe(0);
    outbound.send("one more");
    await settled();
    expect(told.overflows).toBe(0);
    outbound.send("and another");
    await settled();
    expect(told.overflows).toBe(1);
  });
});
