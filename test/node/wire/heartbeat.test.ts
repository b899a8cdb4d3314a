import { describe, expect, test } from "vitest";
import { encodeEntry } from "../../../src/node/wire/frame-codec.ts";
import { HeardByOther, heardBy, heartbeat } from "../../../src/node/wire/heartbeat.ts";

describe("a heartbeat", () => {
  test("says how much was heard, of whatever size, and is no other message", () => {
    for (const heard of [0, 1, 2 ** 32 - 1]) expect(heardBy(heartbeat(heard))).toBe(heard);
    expect(heardBy(heartbeat(2 ** 32 + 5))).toBe(5);
    const placed = Buffer.concat([Buffer.from("some bytes before"), heartbeat(7)]).subarray(17);
    expect(heardBy(placed)).toBe(7);
    for (const other of [new Uint8Array(0), encodeEntry([1, 2, 3, 4]), Buffer.from([0xc1, 0, 0, 0])]) {
      expect(heardBy(other)).toBe(null);
    }
  });
});

describe("an end of a pipe is not heard", () => {
  /** What each second brings: the heartbeat's count, or nothing. */
  const unheard = (...seconds: (number | null)[]) => {
    const heard = new HeardByOther();
    return seconds.map((count) => {
      if (count !== null) heard.told(count);
      return heard.tick();
    });
  };

  test("when the other end's heartbeats come and have heard nothing new", () => {
    expect(unheard(1, 2, 3, 3, 3, 3)).toEqual([0, 0, 0, 1, 2, 3]);
    expect(unheard(1, 1, 2, 2, 3)).toEqual([0, 1, 0, 1, 0]);
  });

  test("but nothing is known of that while no heartbeat comes", () => {
    expect(unheard(1, null, null, null, 2)).toEqual([0, 0, 0, 0, 0]);
    expect(unheard(1, 1, null, null, 1, 2)).toEqual([0, 1, 1, 1, 2, 0]);
  });

  test("and nothing follows from the time in which this process stood still", () => {
    const heard = new HeardByOther();
    for (const count of [5, 5, 5]) {
      heard.told(count);
      heard.tick();
    }
    heard.forgive();
    expect(heard.tick()).toBe(0);
    heard.told(5);
    expect(heard.tick()).toBe(0);
  });
});
