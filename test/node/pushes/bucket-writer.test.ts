import { expect, test } from "vitest";
import type { BucketStore } from "../../../src/node/nats/bucket-store.ts";
import { BucketWriter } from "../../../src/node/pushes/bucket-writer.ts";
import { KnownEntries } from "../../../src/node/pushes/known-entries.ts";
import { EntrySigner, entryKey } from "../../../src/node/pushes/shared-entry.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { pushOf, signingKey } from "../nats/sharing-gateway.ts";

/** A bucket without entries. @param read what a read of a key comes to */
function storeOf(read: BucketStore["read"]): { readonly store: BucketStore; readonly written: string[] } {
  const written: string[] = [];
  const store: Pick<BucketStore, "maxValueBytes" | "read" | "write" | "replace" | "keys"> = {
    maxValueBytes: 1_000_000,
    read,
    write: async () => undefined,
    replace: async (key) => {
      written.push(key);
      return true;
    },
    keys: async () => [],
  };
  return { store: store as BucketStore, written };
}

test("what was being written when the connection was lost is written over the next one, though the first has not failed yet", async () => {
  const writer = new BucketWriter({
    signer: new EntrySigner([signingKey], "gen_api"),
    clock: new SimulatedClock(),
    random: Math.random,
    known: new KnownEntries(10),
    troubled: (error) => expect.unreachable(error.message),
    pending: () => undefined,
  });
  let fail: (error: Error) => void = () => undefined;
  const lost = storeOf(
    () =>
      new Promise((_resolve, reject) => {
        fail = reject;
      }),
  );
  const next = storeOf(async () => ({ value: null, revision: 0 }));
  writer.put(pushOf("users@b"));
  const hangs = writer.writeNext(lost.store);
  writer.lost();
  expect(await writer.writeNext(next.store)).toBe("again");
  expect(next.written).toEqual([entryKey("users", "users@b")]);
  expect(await writer.writeNext(next.store)).toBe("idle");
  fail(new Error("timeout"));
  await expect(hangs).rejects.toThrow("timeout");
  expect(lost.written).toEqual([]);
});
