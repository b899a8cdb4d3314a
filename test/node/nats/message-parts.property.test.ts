import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  MessageReader,
  messageOfNumber,
  numberOf,
  partNumberOf,
  partsOf,
} from "../../../src/node/nats/message-parts.ts";

interface Sent {
  readonly number: string;
  readonly data: Uint8Array;
}

/** What a pipe publishes for these messages, where the server takes so many bytes at a time. */
function published(messages: readonly Uint8Array[], maxBytes: number): Sent[] {
  return messages.flatMap((message, index) => {
    const parts = partsOf(message.length, maxBytes);
    if (parts === 1) return [{ number: numberOf(index), data: message }];
    return Array.from({ length: parts }, (_, part) => ({
      number: partNumberOf(index, part, parts),
      data: message.subarray(part * maxBytes, (part + 1) * maxBytes),
    }));
  });
}

/** What comes out, until something is wrong. */
function read(sent: readonly Sent[], limit = 1_000_000) {
  const reader = new MessageReader();
  const messages: Uint8Array[] = [];
  for (const { number, data } of sent) {
    const next = reader.next(number, data, limit);
    if (typeof next === "string") return { messages, problem: next, count: reader.count };
    if (next !== null) messages.push(next);
  }
  return { messages, problem: null, count: reader.count };
}

const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
const maxBytes = fc.integer({ min: 1, max: 12 });

describe("numbered messages", () => {
  test("come out as they went in, whatever the server takes at a time", () => {
    fc.assert(
      fc.property(messages, maxBytes, (sent, max) => {
        const { messages: got, problem, count } = read(published(sent, max));
        expect(problem).toBeNull();
        expect(got.map((message) => [...message])).toEqual(sent.map((message) => [...message]));
        expect(count).toBe(sent.length);
      }),
    );
  });

  test("show what was lost, doubled or swapped before anything after it comes out", () => {
    fc.assert(
      fc.property(messages, maxBytes, fc.nat(), fc.constantFrom("lose", "double", "swap"), (sent, max, at, how) => {
        const wire = published(sent, max);
        fc.pre(wire.length > 1);
        const place = at % (wire.length - 1);
        const [one, two] = wire.slice(place) as [Sent, Sent];
        const broken = { lose: [two], double: [one, one, two], swap: [two, one] }[how];
        const { messages: got, problem } = read([...wire.slice(0, place), ...broken, ...wire.slice(place + 2)]);
        expect(problem).toMatch("something was lost on the way");
        const before = read(wire.slice(0, how === "double" ? place + 1 : place)).messages;
        expect(got.map((message) => [...message])).toEqual(before.map((message) => [...message]));
      }),
    );
  });

  test("never come out larger than allowed, and never keep more than that", () => {
    fc.assert(
      fc.property(messages, maxBytes, fc.nat({ max: 40 }), (sent, max, limit) => {
        const { messages: got, problem } = read(published(sent, max), limit);
        const first = sent.findIndex(({ length }) => length > limit);
        expect(got).toHaveLength(first === -1 ? sent.length : first);
        expect(problem).toBe(first === -1 ? null : `a message of more than ${limit} bytes came`);
      }),
    );
  });

  test("survive any number that somebody could send", () => {
    const token = fc.oneof(fc.string(), fc.stringMatching(/^\d{1,3}(-\d{1,3}){0,3}$/), fc.constant("0-0-99999"));
    fc.assert(
      fc.property(fc.array(fc.record({ number: token, data: fc.uint8Array({ maxLength: 5 }) })), (sent) => {
        const { messages: got } = read(sent, 100);
        expect(got.length).toBeLessThanOrEqual(sent.length);
      }),
    );
    // Parts without a byte would be kept though no limit of bytes sees them.
    expect(read([{ number: "0-0-9", data: new Uint8Array(0) }]).problem).not.toBeNull();
  });

  test("tell their message, parts too", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 99_999 }), fc.nat({ max: 99_999 }), (message, part, parts) => {
        expect(messageOfNumber(numberOf(message))).toBe(message);
        expect(messageOfNumber(partNumberOf(message, part, parts))).toBe(message);
      }),
    );
    for (const other of ["", "open", "accept", "-1", "1-", "1-2", "1.5", " 1"])
      expect(messageOfNumber(other)).toBeNull();
  });
});
