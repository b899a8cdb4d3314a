import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isGenApiError } from "../../../src/core/errors.ts";
import { maxFrameDepth } from "../../../src/node/message-pack/frame-scan.ts";
import * as codec from "../../../src/node/wire/frame-codec.ts";
import { fromNodeLimits, toNodeLimits } from "../../../src/node/wire/node-protocol.ts";
import { collectGarbage } from "../../support/heap.ts";

const { encodeEntry, maxMessageBytes } = codec;
const encodeForeign = (entry: codec.Entry, limits = toNodeLimits) => codec.encodeForeign(entry, limits);
const decodeEntries = (message: Uint8Array, limits = toNodeLimits) => codec.decodeEntries(message, limits);

// Units: halves of surrogate pairs among them.
const units = fc.array(fc.constantFrom("a", "é", "\ud800", "\udc00", "\ufeff", "\ufffd", "\0", '"'), { maxLength: 80 });
const broken = units.map((parts) => parts.join(""));
const key = fc.oneof(
  fc.string({ unit: "grapheme" }),
  broken,
  fc.constantFrom("__proto__", "toString", "json", "dates"),
);
const text = fc.oneof(
  broken,
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "grapheme", minLength: 30, maxLength: 300 }),
  fc.integer({ min: 0, max: 70_000 }).map((length) => "x".repeat(length)),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.constantFrom(-0, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 2 ** 63, -(2 ** 63), 5e-324, 0.1),
    text,
    fc.date({ noInvalidDate: true }),
    fc.array(tie("value")),
    fc.dictionary(key, tie("value")),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    fc.array(fc.integer(), { minLength: 10, maxLength: 100 }),
  ),
}));

/** What decoding does with bytes that may be anything. */
function decodeAny(bytes: Uint8Array): "decoded" | "refused" {
  try {
    decodeEntries(bytes);
    return "decoded";
  } catch (thrown) {
    if (isGenApiError(thrown)) return "refused";
    throw thrown;
  }
}

describe("a frame", () => {
  test("brings every JSON-like value with dates to the other end as it was", () => {
    fc.assert(
      fc.property(fc.array(fc.array(value), { minLength: 1, maxLength: 5 }), (entries) => {
        const message = Buffer.concat(entries.map((entry) => encodeForeign(entry)));
        expect(decodeEntries(message)).toEqual(entries);
      }),
      { numRuns: 1_000 },
    );
  });

  test("does not depend on the memory that it was received in", () => {
    const message = Buffer.from(encodeForeign([1, "a text that is long enough", { key: new Date(5) }]));
    const entries = decodeEntries(message);
    message.fill(0xc1);
    expect(entries).toEqual([[1, "a text that is long enough", { key: new Date(5) }]]);
  });

  test("keeps what was encoded before, however big what follows is", () => {
    const first = encodeEntry([1, "first"]);
    const big = encodeEntry([2, "x".repeat(10_000_000)]);
    const last = Array.from({ length: 2_000 }, (_, number) => encodeEntry([3, `entry ${number}`]));
    expect(decodeEntries(first)).toEqual([[1, "first"]]);
    expect(decodeEntries(big)).toEqual([[2, "x".repeat(10_000_000)]]);
    expect(last.map((entry) => decodeEntries(entry)[0]?.[1])).toEqual(last.map((_, number) => `entry ${number}`));
  });

  test("holds no more memory than its entries need, a small share of the current block apart", () => {
    const entry = encodeEntry([1, "x".repeat(100_000)]);
    expect(entry.buffer.byteLength).toBeLessThan(110_000);
    expect(encodeEntry([1, "small"]).buffer.byteLength).toBe(64 * 1024);
  });

  test("is either decoded or refused with a GenApiError, whatever its bytes", () => {
    const seen = { decoded: 0, refused: 0 };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void seen[decodeAny(bytes)]++),
      { numRuns: 3_000 },
    );
    expect(seen.refused).toBeGreaterThan(0);
  });

  test("is either decoded or refused when some bytes of a good one were changed, cut off or added", () => {
    const damaged = fc.tuple(
      fc.array(value, { minLength: 1 }),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.nat(),
      fc.uint8Array({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(damaged, ([entry, changes, cut, added]) => {
        const bytes = Buffer.from(encodeForeign(entry));
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        decodeAny(bytes);
        decodeAny(bytes.subarray(0, cut % bytes.length));
        decodeAny(Buffer.concat([bytes, added]));
      }),
      { numRuns: 3_000 },
    );
  });

  test("is refused at once when it promises more than it holds: nothing is set aside for it", () => {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    // Lists of four thousand million, each the first element of the one before.
    const lists = Buffer.concat(Array.from({ length: 60 }, () => Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])));
    const nearlyAll = Buffer.alloc(8 * 1024 * 1024, 0xc0);
    for (let at = 0; at < 60 * 5; at += 5) {
      nearlyAll[at] = 0xdd;
      nearlyAll.writeUInt32BE(nearlyAll.length - at - 5, at + 1);
    }
    for (const bytes of [lists, nearlyAll, Buffer.from([0x91, 0xdb, 0xff, 0xff, 0xff, 0xff, 0x61])]) {
      expect(decodeAny(bytes)).toBe("refused");
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
  });

  test(`may nest ${maxFrameDepth} levels, and no more`, () => {
    const nested = (depth: number) => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([0xc0])]);
    expect(decodeAny(nested(maxFrameDepth))).toBe("decoded");
    expect(decodeAny(nested(maxFrameDepth + 1))).toBe("refused");
    let deep: unknown = 1;
    for (let depth = 0; depth < maxFrameDepth; depth++) deep = { deep };
    expect(() => encodeForeign([deep])).toThrow("nest deeper");
  });

  const notPlain: [what: string, bytes: number[]][] = [
    ["binary data", [0x91, 0xc4, 0x01, 0x00]],
    ["a 64-bit number", [0x91, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1]],
    ["a record definition", [0x92, 0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01]],
    ["an error", [0x91, 0xd4, 0x65, 0x00, 0x93, 0xa5, 0x45, 0x72, 0x72, 0x6f, 0x72, 0xa1, 0x61, 0xc0]],
    ["a set", [0x91, 0xd4, 0x73, 0x00, 0x90]],
    ["a regular expression", [0x91, 0xd4, 0x78, 0x00, 0x92, 0xa1, 0x61, 0xa0]],
    ["a reference", [0x91, 0xd6, 0x70, 0, 0, 0, 1]],
    ["bundled texts", [0x91, 0xd6, 0x62, 0, 0, 0, 0]],
    ["a typed array", [0x91, 0xc7, 0x02, 0x74, 0x01, 0x00]],
    ["the never used code", [0x91, 0xc1]],
    ["undefined", [0x91, 0xd4, 0x00, 0x00]],
    ["a map with a list as key", [0x91, 0x81, 0x90, 0xc0]],
    ["a map with a number as key", [0x91, 0x81, 0x01, 0xc0]],
    ["what is no list", [0xa1, 0x61]],
    ["a map with nil as key", [0x91, 0x81, 0xc0, 0xc0]],
    ["half of a UTF-16 unit", [0x91, 0xc7, 0x01, 0x01, 0x61]],
    ["a date of no bytes", [0x91, 0xc7, 0x04, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a date of four bytes with a length", [0x91, 0xc7, 0x04, 0xff, 0, 0, 0, 0]],
    ["a date of eight bytes with a length", [0x91, 0xc7, 0x08, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a date of thirteen bytes", [0x91, 0xc7, 0x0d, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a map with a date as key", [0x91, 0x81, 0xc7, 0x0c, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc0]],
  ];
  for (const [what, bytes] of notPlain) {
    test(`is refused when it holds ${what}`, () => {
      expect(decodeAny(Uint8Array.from(bytes))).toBe("refused");
    });
  }

  test("may have keys with a length of any size", () => {
    for (const head of [[0xa1], [0xd9, 1], [0xda, 0, 1], [0xdb, 0, 0, 0, 1]]) {
      expect(decodeEntries(Uint8Array.from([0x91, 0x81, ...head, 0x6b, 0x05]))).toEqual([[{ k: 5 }]]);
    }
  });

  test("is refused when it is too big, by either end", () => {
    expect(() => encodeEntry([0, "x".repeat(maxMessageBytes)])).toThrow("at most 33554432 are allowed");
    expect(() => decodeEntries(Buffer.alloc(maxMessageBytes + 1))).toThrow("at most 33554432 are allowed");
  });

  const directions = { "to a node": toNodeLimits, "from a node": fromNodeLimits };
  for (const [direction, limits] of Object.entries(directions)) {
    const { entries, values } = limits;
    /** An entry of one list that holds so many of these, each one byte long. */
    const listOf = (count: number, byte: number) => {
      const head = Buffer.from([0x91, 0xdd, 0, 0, 0, 0]);
      head.writeUInt32BE(count, 2);
      return Buffer.concat([head, Buffer.alloc(count, byte)]);
    };

    test(`${direction} may hold ${values} values, and no more, whatever they are and whoever made it`, () => {
      for (const byte of [0x01, 0x90, 0x80, 0xc0, 0xa0]) {
        expect(decodeEntries(listOf(values - 2, byte), limits)[0]?.[0]).toHaveLength(values - 2);
        expect(() => decodeEntries(listOf(values - 1, byte), limits)).toThrow(`more than ${values} values`);
      }
      expect(encodeForeign([new Array(values - 2).fill(0)], limits)).toHaveLength(values - 2 + 6);
      expect(() => encodeForeign([new Array(values - 1).fill(0)], limits)).toThrow(`more than ${values} values`);
    });

    test(`${direction} may hold ${entries} entries, and a long one only one`, () => {
      expect(decodeEntries(Buffer.alloc(entries, 0x90), limits)).toHaveLength(entries);
      expect(() => decodeEntries(Buffer.alloc(entries + 1, 0x90), limits)).toThrow(`more than ${entries} entries`);
      const long = encodeEntry([0, 1, "x".repeat(values)]);
      expect(decodeEntries(long, limits)).toHaveLength(1);
      expect(() => decodeEntries(Buffer.concat([long, encodeEntry([1])]), limits)).toThrow("more than one entry");
    });

    test(`${direction} is refused at once when it is megabytes of empty lists or maps`, () => {
      for (const bytes of [Buffer.alloc(31e6, 0x90), Buffer.alloc(31e6, 0x80), listOf(31e6, 0x80)]) {
        collectGarbage();
        const before = process.memoryUsage().heapUsed;
        expect(() => decodeEntries(bytes, limits)).toThrow("cannot be read");
        expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
      }
    });
  }

  test("cannot be made of what is not plain; what JSON leaves out becomes null", () => {
    const ring: unknown[] = [];
    ring.push(ring);
    for (const bad of [ring, 1n, 2n ** 80n, Symbol("x"), Buffer.from("x"), new Map([[1, 2]])]) {
      expect(() => encodeForeign([bad])).toThrowError(expect.objectContaining({ code: "invalid_request" }));
    }
    const left = [undefined, () => 1, new Date(Number.NaN), { gone: undefined }];
    expect(decodeEntries(encodeForeign(left))).toEqual([[null, null, null, {}]]);
  });
});
