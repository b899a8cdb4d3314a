import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  contentOf,
  EntrySigner,
  entryKey,
  entryOf,
  isNewer,
  isSame,
  ownerOf,
  partKey,
  pushOf,
  type SharedEntry,
  stampOfPart,
} from "../../../src/node/pushes/shared-entry.ts";
import type { AcceptedPush } from "../../../src/sync/push/push.ts";

const signer = new EntrySigner(["a secret of the gateways, 32 characters or more"], "gen_api");
const name = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" });
const stamp = fc.integer({ min: 0, max: 2 ** 50 });
const push: fc.Arbitrary<AcceptedPush> = fc.record(
  {
    service: name,
    node: name,
    configVersion: name,
    functionsHash: name,
    functions: fc.array(fc.jsonValue(), { maxLength: 5 }),
    count: fc.nat(),
    pull: fc.constant(null),
  },
  { requiredKeys: ["service", "node", "configVersion", "functions", "pull"] },
);
const partBytes = fc.integer({ min: 1, max: 200 });

/** What is in the bucket for a push: key, value and parts. */
function kept(of: AcceptedPush, at: number, maxPartBytes: number) {
  const key = entryKey(of.service, of.node);
  const content = contentOf(of, maxPartBytes);
  const entry = entryOf(content, at);
  return { key, entry, value: signer.sign(key, entry), parts: content.parts };
}

describe("a shared entry", () => {
  test("gives back the push that it was made of, whatever the size of its parts", () => {
    fc.assert(
      fc.property(push, stamp, partBytes, (of, at, max) => {
        const { key, entry, value, parts } = kept(of, at, max);
        expect(signer.verify(key, value)).toEqual(entry);
        expect(pushOf(key, entry, parts)).toEqual(JSON.parse(JSON.stringify(of)));
        expect(ownerOf(key)).toEqual({ service: of.service, node: of.node });
        for (const part of parts.keys()) expect(stampOfPart(partKey(key, entry, part))).toBe(at);
      }),
    );
  });

  test("is not believed when any of its bytes is another, or its key", () => {
    fc.assert(
      fc.property(push, push, stamp, fc.nat(), fc.integer({ min: 1, max: 255 }), (of, other, at, place, change) => {
        const { key, value } = kept(of, at, 100);
        const changed = Uint8Array.from(value);
        const index = place % changed.length;
        changed[index] = (changed[index] as number) ^ change;
        const entry = signer.verify(key, changed);
        // Base64 has more than one way to write the last bits of the signature.
        if (typeof entry !== "string") expect(entry).toEqual(signer.verify(key, value));
        if (index > 43) expect(entry).toBeTypeOf("string");
        const otherKey = entryKey(other.service, other.node);
        if (otherKey !== key) expect(signer.verify(otherKey, value)).toBeTypeOf("string");
        expect(signer.verify(key, value.subarray(0, index))).toBeTypeOf("string");
      }),
    );
  });

  test("is not believed with parts that are changed, missing, too many or in another order", () => {
    fc.assert(
      fc.property(push, stamp, partBytes, fc.nat(), (of, at, max, place) => {
        const { key, entry, parts } = kept(of, at, max);
        const index = place % parts.length;
        const changed = Uint8Array.from(parts[index] as Uint8Array);
        changed[0] = (changed[0] as number) ^ 1;
        expect(pushOf(key, entry, parts.with(index, changed))).toBeTypeOf("string");
        expect(pushOf(key, entry, parts.toSpliced(index, 1))).toBeTypeOf("string");
        expect(pushOf(key, entry, [...parts, changed])).toBeTypeOf("string");
        const reversed = parts.toReversed();
        if (!Buffer.concat(reversed).equals(Buffer.concat(parts))) {
          expect(pushOf(key, entry, reversed)).toBeTypeOf("string");
        }
      }),
    );
  });

  test("survives any value and any key that somebody could write", () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), (key, value) => {
        expect(signer.verify(key, value)).toBeTypeOf("string");
        ownerOf(key);
        stampOfPart(key);
      }),
    );
  });

  test("is newer or older than any other that is not the same, and all gateways see it so", () => {
    const entry: fc.Arbitrary<SharedEntry> = fc.record({
      stamp: fc.nat({ max: 3 }),
      digest: fc.constantFrom(null, "a", "b"),
      parts: fc.constant([]),
    });
    fc.assert(
      fc.property(entry, entry, entry, (one, two, three) => {
        expect([isNewer(one, two), isNewer(two, one), isSame(one, two)].filter(Boolean)).toHaveLength(1);
        if (isNewer(one, two) && isNewer(two, three)) expect(isNewer(one, three)).toBe(true);
      }),
    );
  });
});
