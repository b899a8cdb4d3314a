import { describe, expect, test } from "vitest";
import { readMessagePack } from "../../../src/node/message-pack/reader.ts";
import { writeMessagePack } from "../../../src/node/message-pack/writer.ts";

const megabyte = 1024 * 1024;
const write = (value: unknown) => Buffer.from(writeMessagePack(value, megabyte)).toString("hex");
const read = (hex: string) => readMessagePack(Buffer.from(hex, "hex"))[0];

// As https://github.com/msgpack/msgpack/blob/master/spec.md has them: the shortest form of each.
const forms: [value: unknown, hex: string][] = [
  [null, "c0"],
  [false, "c2"],
  [true, "c3"],
  [0, "00"],
  [127, "7f"],
  [128, "cc80"],
  [255, "ccff"],
  [256, "cd0100"],
  [65_535, "cdffff"],
  [65_536, "ce00010000"],
  [4_294_967_295, "ceffffffff"],
  [-1, "ff"],
  [-32, "e0"],
  [-33, "d0df"],
  [-128, "d080"],
  [-129, "d1ff7f"],
  [-32_768, "d18000"],
  [-32_769, "d2ffff7fff"],
  [-2_147_483_648, "d280000000"],
  // Whole numbers beyond 32 bits as a double, which every reader takes.
  [4_294_967_296, "cb41f0000000000000"],
  [-2_147_483_649, "cbc1e0000000200000"],
  [1.5, "cb3ff8000000000000"],
  [-0, "cb8000000000000000"],
  ["", "a0"],
  ["a", "a161"],
  ["é", "a2c3a9"],
  ["x".repeat(31), `bf${"78".repeat(31)}`],
  ["x".repeat(32), `d920${"78".repeat(32)}`],
  ["é".repeat(16), `d920${"c3a9".repeat(16)}`],
  ["x".repeat(256), `da0100${"78".repeat(256)}`],
  ["x".repeat(65_536), `db00010000${"78".repeat(65_536)}`],
  // Halves of surrogate pairs, which UTF-8 cannot have: UTF-16 in an extension.
  ["a\ud800", "c70401610000d8"],
  ["\udc00".repeat(200), `c8019001${"00dc".repeat(200)}`],
  ["\ud800".repeat(40_000), `c90001388001${"00d8".repeat(40_000)}`],
  [{ "\ud800": 1 }, "81c7020100d801"],
  [[], "90"],
  [new Array(15).fill(1), `9f${"01".repeat(15)}`],
  [new Array(16).fill(1), `dc0010${"01".repeat(16)}`],
  [new Array(65_536).fill(1), `dd00010000${"01".repeat(65_536)}`],
  [{}, "80"],
  [{ a: 1, b: [2] }, "82a16101a1629102"],
  [new Date(0), "d6ff00000000"],
  [new Date(4_294_967_295_000), "d6ffffffffff"],
  [new Date(1), "d7ff003d090000000000"],
  [new Date(4_294_967_296_500), "d7ff7735940100000000"],
  [new Date(-1), "c70cff3b8b87c0ffffffffffffffff"],
];

describe("MessagePack", () => {
  test.each(forms)("has one form of %o, to write and to read", (value, hex) => {
    expect(write(value)).toBe(hex);
    expect(read(hex)).toEqual(value);
  });

  test("has a longer form of a map with more than fifteen keys", () => {
    for (const [size, head] of [
      [16, "de0010"],
      [70_000, "df00011170"],
    ] as const) {
      const map = Object.fromEntries(Array.from({ length: size }, (_, index) => [`k${index}`, index]));
      const hex = write(map);
      expect(hex.startsWith(head)).toBe(true);
      expect(read(hex)).toEqual(map);
    }
  });

  test("reads what others write in longer forms, and single precision", () => {
    expect(read("ca3fc00000")).toBe(1.5);
    expect(read("d90161")).toBe("a");
    expect(read("dc000101")).toEqual([1]);
    expect(read("df00000001a16101")).toEqual({ a: 1 });
  });

  test("keeps a key __proto__ as a key", () => {
    const value = JSON.parse('{"__proto__":{"x":1}}');
    const back = read(write(value)) as object;
    expect(Object.keys(back)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
  });

  test("has objects of classes as their fields, as a thread gets them, and refuses what would be lost", () => {
    class Point {
      readonly x = 1;
    }
    expect(read(write(new Point()))).toEqual({ x: 1 });
    for (const lost of [
      new Map(),
      new Set(),
      /x/,
      new Error("x"),
      new Uint8Array(1),
      Promise.resolve(),
      1n,
      Symbol(),
    ]) {
      expect(() => write(lost)).toThrow("other than plain data and dates");
    }
  });

  test("refuses a ring, and goes on with the next value", () => {
    const ring: unknown[] = [1];
    ring.push(ring);
    expect(() => write(ring)).toThrow("nest deeper than 64");
    expect(write([1])).toBe("9101");
  });

  test("refuses what is bigger than it may be, before it has set the memory aside", () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const big of ["x".repeat(megabyte), new Array(megabyte).fill(1), { text: "é".repeat(megabyte) }]) {
      expect(() => write(big)).toThrow(/at most 1048576 are allowed/);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * megabyte);
  });

  test("is written whole when a getter in a value writes another one, or changes the value", () => {
    const inner: string[] = [];
    const list: unknown[] = [
      {
        get text() {
          inner.push(write("inner"));
          list.push("too late");
          return "outer";
        },
      },
      2,
    ];
    expect(read(write(["x".repeat(100), list]))).toEqual(["x".repeat(100), [{ text: "outer" }, 2]]);
    expect(new Set(inner.map(read))).toEqual(new Set(["inner"]));
  });

  test("passes on what a getter throws, and goes on with the next value", () => {
    const bad = {
      get text(): string {
        throw new Error("mine");
      },
    };
    expect(() => write([1, bad])).toThrow("mine");
    expect(write([1])).toBe("9101");
  });
});
