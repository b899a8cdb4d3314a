import { describe, expect, test } from "vitest";
import { Turns } from "../../../src/socket/inbound/flow-turns.ts";
import { FrameBudget, type FrameLimit } from "../../../src/socket/inbound/frame-limit.ts";
import { Inbound, type ReceivedMessage } from "../../../src/socket/inbound/inbound.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const generous = { perSecond: 1e6, burst: 1e6, closeAfterMs: 10_000 };

/**
 * A socket whose parser takes each slice of bytes for one message, unless the test says otherwise.
 */
function open(limit: Required<FrameLimit> = generous) {
  const clock = new SimulatedClock();
  const turns = new Turns();
  const log: string[] = [];
  const held: number[] = [];
  const source = {
    isParsing: true,
    isPaused: false,
    parse: (bytes: Buffer): void => inbound.message(bytes, true),
    pause: () => {
      source.isPaused = true;
    },
    resume: () => {
      source.isPaused = false;
    },
    pong: (data: Buffer) => void log.push(`pong ${data}`),
  };
  const inbound: Inbound = new Inbound(source, "one", turns, new FrameBudget(limit, 0), clock);
  const listener = {
    receive: (data: Buffer, isBinary: boolean): void => void log.push(`${isBinary ? "binary" : "text"} ${data}`),
    onHeld: (bytes: number) => void held.push(bytes),
    onThrottled: (ms: number) => void log.push(`throttled ${ms}`),
    onFlood: () => void log.push("flood"),
    onFault: ({ message }: Error) => void log.push(`fault ${message}`),
  };
  inbound.listen(listener);
  return { clock, turns, log, held, source, inbound, listener };
}

/** Keeps a socket waiting for its turn: it is stepped by hand. */
function waiting(limit?: Required<FrameLimit>) {
  const opened = open(limit);
  opened.inbound.turn.isActive = true;
  return opened;
}

const message = (text: string): ReceivedMessage => ({ data: Buffer.from(text), isBinary: false });
const loop = () => new Promise((resolve) => setImmediate(resolve));

describe("what a client sends", () => {
  test("is handled in its order, and nothing is read from its socket while some waits", () => {
    const { inbound, source, log } = waiting();
    inbound.receive(Buffer.from("a"));
    inbound.receive(Buffer.from("b"));
    expect([source.isPaused, inbound.isBusy, log]).toEqual([true, true, []]);
    expect(inbound.step()).toBe(true);
    expect(inbound.step()).toBe(false);
    expect([source.isPaused, inbound.isBusy, log]).toEqual([false, false, ["binary ab"]]);
  });

  test("is parsed in slices of 4 096 bytes", () => {
    const { inbound, source } = waiting();
    const slices: number[] = [];
    source.parse = ({ length }) => void slices.push(length);
    inbound.receive(Buffer.alloc(4_096));
    while (inbound.step());
    inbound.receive(Buffer.alloc(4_096 * 2 + 1));
    while (inbound.step());
    expect(slices).toEqual([4_096, 4_096, 4_096, 1]);
  });

  test("had to wait comes before what came since", () => {
    const { inbound, log } = waiting();
    inbound.message(Buffer.from("later"), false);
    inbound.takeBack([message("first"), message("second")]);
    while (inbound.step());
    expect(log).toEqual(["text first", "text second", "text later"]);
    inbound.takeBack([]);
    expect(inbound.isBusy).toBe(false);
  });

  test("behind what ends the protocol is neither parsed nor kept", () => {
    const { inbound, source } = waiting();
    let slices = 0;
    source.parse = () => {
      slices++;
      source.isParsing = false;
    };
    inbound.receive(Buffer.alloc(10_000));
    while (inbound.step());
    inbound.receive(Buffer.from("late"));
    while (inbound.step());
    expect(slices).toBe(1);
  });

  test("is not handled any more when the socket was stopped, though it had come before", () => {
    const { inbound, source, log, clock } = waiting();
    inbound.takeBack([message("first")]);
    inbound.stop();
    inbound.receive(Buffer.from("late"));
    inbound.takeBack([message("taken back")]);
    inbound.message(Buffer.from("parsed"), true);
    expect([inbound.step(), log, inbound.isBusy, clock.pending]).toEqual([false, [], false, 0]);
    // Its socket is gone: nobody may touch it.
    expect(source.isPaused).toBe(true);
  });

  test("stops when whoever takes it throws, and the fault is told once", () => {
    const { inbound, log, listener } = waiting();
    listener.receive = () => {
      throw new Error("broken");
    };
    inbound.takeBack([message("first"), message("second")]);
    expect([inbound.step(), inbound.step(), log]).toEqual([false, false, ["fault broken"]]);
  });
});

describe("of pings", () => {
  test("the last one of a slice is answered, after it was parsed", () => {
    const { inbound, source, log } = waiting();
    source.parse = () => {
      inbound.ping(Buffer.from("1"));
      inbound.ping(Buffer.from("2"));
    };
    inbound.receive(Buffer.from("x"));
    while (inbound.step());
    expect(log).toEqual(["pong 2"]);
    source.parse = () => undefined;
    inbound.receive(Buffer.from("y"));
    while (inbound.step());
    expect(log).toEqual(["pong 2"]);
  });

  test("and pongs each one counts by the client's limit, though only one is answered", () => {
    const { inbound, source, log } = waiting({ perSecond: 10, burst: 3, closeAfterMs: 10_000 });
    source.parse = () => {
      inbound.ping(Buffer.alloc(0));
      inbound.pong(Buffer.alloc(0));
      inbound.pong(Buffer.alloc(0));
    };
    inbound.receive(Buffer.from("x"));
    inbound.step();
    // A bit more than three points: until one is there again.
    expect(log).toEqual(["pong ", "throttled 101"]);
    inbound.stop();
  });
});

describe("a message that has begun and not ended", () => {
  test("is known by when it began, until it has ended", () => {
    const { inbound, source, clock } = waiting();
    source.parse = () => undefined;
    clock.advance(50);
    inbound.receive(Buffer.from("begin"));
    inbound.step();
    expect([inbound.partSince, inbound.isBusy]).toEqual([50, true]);
    clock.advance(50);
    inbound.receive(Buffer.from("go on"));
    inbound.step();
    expect(inbound.partSince).toBe(50);
    source.parse = () => inbound.message(Buffer.from("whole"), false);
    inbound.receive(Buffer.from("end"));
    while (inbound.step());
    expect([inbound.partSince, inbound.isBusy]).toEqual([null, false]);
  });

  test("has not begun by a ping or pong alone", () => {
    const { inbound, source } = waiting();
    source.parse = () => inbound.pong(Buffer.from("12"));
    // Two bytes, a mask of four, and the data.
    inbound.receive(Buffer.alloc(8));
    inbound.step();
    expect(inbound.partSince).toBeNull();
    inbound.receive(Buffer.alloc(9));
    inbound.step();
    expect(inbound.partSince).toBe(0);
  });

  test("is forgotten with its socket", () => {
    const { inbound, source } = waiting();
    source.parse = () => undefined;
    inbound.receive(Buffer.from("begin"));
    inbound.step();
    inbound.stop();
    expect([inbound.partSince, inbound.isBusy]).toEqual([null, false]);
  });
});

describe("what a socket holds", () => {
  test("is told once it is more than 16 384 bytes, each time that it changes, and when it is no more", () => {
    const { inbound, source, held } = waiting();
    source.parse = () => undefined;
    for (let slice = 0; slice < 3; slice++) {
      inbound.receive(Buffer.alloc(4_096));
      inbound.step();
    }
    expect(held).toEqual([]);
    inbound.receive(Buffer.alloc(4_096));
    inbound.step();
    const part = 4 * (4_096 + 512);
    expect(held).toEqual([part]);
    source.parse = () => inbound.message(Buffer.alloc(20_000), true);
    inbound.receive(Buffer.alloc(1));
    inbound.step();
    expect(held).toEqual([part, 20_000 - part]);
    inbound.step();
    expect(held).toEqual([part, 20_000 - part, -20_000]);
  });

  test("of a message that comes in tiny pieces takes 512 bytes more for each, and a point", () => {
    const { inbound, source, held, log } = waiting({ perSecond: 1_000, burst: 100, closeAfterMs: 10_000 });
    source.parse = () => undefined;
    for (let piece = 0; piece < 99; piece++) {
      inbound.receive(Buffer.alloc(1));
      inbound.step();
    }
    expect([held.reduce((sum, bytes) => sum + bytes), log]).toEqual([99 * 513, []]);
    inbound.receive(Buffer.alloc(1));
    inbound.step();
    expect(log).toEqual(["throttled 101"]);
    inbound.stop();
  });

  test("counts what was taken back", () => {
    const { inbound, held } = waiting();
    inbound.takeBack([message("x".repeat(10_000)), message("x".repeat(20_000))]);
    inbound.step();
    expect(held).toEqual([20_000]);
    inbound.step();
    expect(held).toEqual([20_000, -20_000]);
  });
});

describe("a client that sends more than its limit", () => {
  const limit = { perSecond: 10, burst: 2, closeAfterMs: 1_000 };

  test("is paused until it has points again, and told of once", async () => {
    const { inbound, source, log, clock } = open(limit);
    inbound.takeBack([message("1"), message("2"), message("3"), message("4")]);
    expect(log).toEqual(["text 1", "text 2", "throttled 100"]);
    expect([source.isPaused, inbound.isBusy, clock.pending]).toEqual([true, true, 1]);
    inbound.takeBack([message("0")]);
    clock.advance(99);
    await loop();
    expect(log).toHaveLength(3);
    clock.advance(1);
    await loop();
    expect(log.slice(3)).toEqual(["text 0"]);
    clock.advance(100);
    await loop();
    expect(log.slice(4)).toEqual(["text 3"]);
    inbound.stop();
    expect(clock.pending).toBe(0);
  });

  test("is read from again though nothing of it waits", async () => {
    const { inbound, source, clock } = open(limit);
    inbound.takeBack([message("1"), message("2")]);
    expect([source.isPaused, inbound.isBusy]).toEqual([true, true]);
    clock.advance(100);
    await loop();
    expect([source.isPaused, inbound.isBusy]).toEqual([false, false]);
  });

  test("for too long is told of, once its time is over", async () => {
    const { inbound, log, clock } = open(limit);
    inbound.takeBack(Array.from({ length: 30 }, (_, index) => message(`${index}`)));
    for (let ms = 0; ms < 900; ms += 100) {
      clock.advance(100);
      await loop();
    }
    expect(log).not.toContain("flood");
    clock.advance(100);
    await loop();
    expect(log.at(-1)).toBe("flood");
    inbound.stop();
  });
});
