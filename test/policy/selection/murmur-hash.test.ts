import fc from "fast-check";
import { expect, it } from "vitest";
import { murmurHash } from "../../../src/policy/selection/murmur-hash.ts";
import { anyCharacter } from "../../support/any-character.ts";

it.each([
  ["", 0, 0x00000000],
  ["", 1, 0x514e28b7],
  ["", 0xffffffff, 0x81f16f39],
  ["\uffff\uffff", 0, 0x76293b50],
  ["\u4321\u8765", 0, 0xf55b516b],
  ["\u4321\u8765", 0x5082edee, 0x2362f9de],
  ["\u4321", 0, 0xa0f7b07a],
  ["\0\0", 0, 0x2362f9de],
  ["\0", 0, 0x30f4c306],
])("gives the published value for the bytes of %j with seed %i", (text, seed, expected) => {
  expect(murmurHash(text, seed)).toBe(expected);
});

it("agrees with the algorithm written byte by byte, in BigInt, for any text and seed", () => {
  const mask = 0xffffffffn;
  const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (32n - by))) & mask;
  const reference = (bytes: Buffer, seed: number) => {
    let hash = BigInt(seed);
    for (let at = 0; at < bytes.length; at += 4) {
      const block = bytes.subarray(at, at + 4);
      let k = block.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      k = (rotate((k * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask;
      hash ^= k;
      if (block.length === 4) hash = (rotate(hash, 13n) * 5n + 0xe6546b64n) & mask;
    }
    hash ^= BigInt(bytes.length);
    hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & mask;
    hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & mask;
    return Number(hash ^ (hash >> 16n));
  };
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter, maxLength: 40 }), fc.nat(0xffffffff), (text, seed) => {
      expect(murmurHash(text, seed)).toBe(reference(Buffer.from(text, "utf16le"), seed));
    }),
  );
});
