import { describe, expect, test } from "vitest";
import { PipeEnd } from "../../src/node/pipe-end.ts";
import { encodeEntry } from "../../src/node/wire/frame-codec.ts";
import { heartbeat } from "../../src/node/wire/heartbeat.ts";
import type { Pipe } from "../../src/node/wire/pipe.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const limits = { entries: 100, values: 1_000 };
const rule = { heartbeatMs: 1_000, missed: 3 };

/** One end of a pipe, and what its listener and its other end hear. */
function open() {
  const clock = new SimulatedClock();
  const late = { by: 0 };
  const log: string[] = [];
  const sent: Uint8Array[] = [];
  const pipe = {
    peer: "peer",
    bufferedBytes: 0,
    bytesRead: 0,
    send: (message: Uint8Array) => void sent.push(message),
    close: (reason: string) => void log.push(`close: ${reason}`),
  };
  const listener = {
    onHandshake: (message: Uint8Array): void => void log.push(`handshake ${Buffer.from(message)}`),
    onEntry: (entry: readonly unknown[]): void => void log.push(`entry ${JSON.stringify(entry)}`),
    onPipeEnded: (reason: string, from: number): void => void log.push(`ended from ${from}: ${reason}`),
  };
  const end = new PipeEnd(
    pipe as unknown as Pipe,
    {
      now: () => clock.now() + late.by,
      systemTime: () => clock.systemTime(),
      setTimeout: (run, ms) => clock.setTimeout(run, ms),
      clearTimeout: (timer) => clock.clearTimeout(timer),
    },
    listener,
    { reads: limits, writes: limits, maxUnreadBytes: 1_000 },
  );
  /** The other end's heartbeats: it has heard so much. */
  const hears = (heard: number) => end.received(heartbeat(heard));
  return { clock, late, log, sent, pipe, listener, end, hears };
}

describe("the two ends of a pipe", () => {
  test("greet each other within ten seconds, and only then take entries", () => {
    const { clock, log, end } = open();
    end.received(Buffer.from("hello"));
    clock.advance(9_999);
    expect([log, end.isUp, end.isOver]).toEqual([["handshake hello"], false, false]);
    clock.advance(1);
    expect(log.slice(1)).toEqual(["close: the other end did not complete its greeting within 10000 ms"]);
    expect([end.isOver, end.greeted(rule), clock.pending]).toEqual([true, false, 0]);
    end.received(Buffer.from("late"));
    expect(log).toHaveLength(2);
  });

  test("have a second to read why they were refused", () => {
    const { clock, log, end } = open();
    end.refused("no room");
    clock.advance(999);
    expect(log).toEqual([]);
    clock.advance(1);
    expect([log, clock.pending]).toEqual([["close: no room"], 0]);
    end.refused("again");
    expect(clock.pending).toBe(0);
  });

  test("end once, and leave no timer", async () => {
    const { clock, log, end } = open();
    end.greeted(rule);
    end.close("one");
    end.close("two");
    end.closed("gone");
    end.closed("gone again");
    await end.ended;
    expect(log).toEqual(["close: one", "ended from 0: gone"]);
    expect(clock.pending).toBe(0);
  });

  test("tell from which message on nothing has arrived, which is none that was not sent", () => {
    for (const [undelivered, from] of [
      [undefined, 2],
      [1, 1],
      [7, 2],
    ] as const) {
      const { log, end } = open();
      end.greeted(rule);
      for (const text of ["a", "b"]) end.outbox.send(Buffer.from(text));
      end.closed("gone", undelivered);
      expect(log).toEqual([`ended from ${from}: gone`]);
    }
  });
});

describe("an end that hears nothing", () => {
  test("closes after as many heartbeats as may be missed, and no sooner", () => {
    const { clock, log, end } = open();
    end.greeted(rule);
    // What came with the greeting was heard at the first look.
    clock.advance(3_000);
    expect(log).toEqual([]);
    clock.advance(1_000);
    expect([log, clock.pending]).toEqual([["close: nothing was received for 3000 ms"], 0]);
  });

  test("stays while anything comes, also a part of a long message", () => {
    const { clock, log, pipe, end, hears } = open();
    end.greeted(rule);
    for (let second = 1; second <= 20; second++) {
      if (second % 3 === 0) hears(second);
      else if (second % 3 === 1) pipe.bytesRead += 1;
      clock.advance(1_000);
    }
    expect(log).toEqual([]);
    end.close("the test is over");
  });

  test("gives the other fresh time where this process stood still for more than two heartbeats", () => {
    for (const [by, isClosed] of [
      [1_000, true],
      [1_001, false],
    ] as const) {
      const { clock, late, log, end } = open();
      end.greeted(rule);
      clock.advance(3_000);
      late.by = by;
      clock.advance(1_000);
      expect(log.length > 0).toBe(isClosed);
      end.close("the test is over");
    }
  });
});

describe("an end that is not heard", () => {
  test("closes when heartbeats come that have heard nothing new, as many as may be missed", () => {
    const { clock, log, end, hears } = open();
    end.greeted(rule);
    for (let second = 0; second < 3; second++) {
      hears(5);
      clock.advance(1_000);
    }
    expect(log).toEqual([]);
    hears(5);
    clock.advance(1_000);
    expect(log).toEqual(["close: the other end received nothing for 3000 ms"]);
  });

  test("has two of them at least, as heartbeats of both ends cross", () => {
    const { clock, log, end, hears } = open();
    end.greeted({ heartbeatMs: 1_000, missed: 1 });
    for (let second = 0; second < 2; second++) {
      hears(5);
      clock.advance(1_000);
    }
    expect(log).toEqual([]);
    hears(5);
    clock.advance(1_000);
    expect(log).toHaveLength(1);
  });
});

describe("an end that is up", () => {
  test("says each second how much it has heard", () => {
    const { clock, sent, pipe, end, hears } = open();
    end.greeted(rule);
    pipe.bytesRead = 100;
    hears(1);
    hears(2);
    clock.advance(1_000);
    expect(sent).toEqual([heartbeat(102)]);
    end.close("the test is over");
  });

  test("closes on a throw and on what it cannot read, and delivers the other entries of a message all the same", () => {
    const { log, listener, end } = open();
    end.greeted(rule);
    const entry = listener.onEntry;
    listener.onEntry = (each) => {
      entry(each);
      if (each[0] === 1) throw new Error("listener");
    };
    end.received(Buffer.concat([1, 2, 3].map((number) => encodeEntry([number]))));
    expect(log).toEqual(["entry [1]", "entry [2]", "entry [3]", "close: listener"]);
    const other = open();
    other.end.greeted(rule);
    other.end.received(Buffer.from([0xc1]));
    expect(other.log[0]).toMatch(/^close: A frame cannot be read/);
  });

  test("delivers nothing more of a message once it was closed", () => {
    const { log, listener, end } = open();
    end.greeted(rule);
    listener.onEntry = () => {
      log.push("entry");
      end.close("enough");
    };
    end.received(Buffer.concat([1, 2].map((number) => encodeEntry([number]))));
    expect(log).toEqual(["entry", "close: enough"]);
  });

  test("closes when the other end says more while too much waits for it to read", () => {
    const { log, pipe, end, hears } = open();
    end.greeted(rule);
    pipe.bufferedBytes = 1_000;
    end.received(encodeEntry([1]));
    expect(log).toEqual(["entry [1]"]);
    pipe.bufferedBytes = 1_001;
    // A heartbeat asks for nothing.
    hears(1);
    expect(log).toHaveLength(1);
    end.received(encodeEntry([2]));
    expect(log.slice(1)).toEqual(["close: the other end keeps sending and does not read"]);
  });
});
