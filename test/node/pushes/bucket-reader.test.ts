import { expect, test } from "vitest";
import { BucketReader } from "../../../src/node/pushes/bucket-reader.ts";
import { BucketWriter } from "../../../src/node/pushes/bucket-writer.ts";
import type { EntryStore, StoredValue, Watch, WatchedValue } from "../../../src/node/pushes/entry-store.ts";
import { KnownEntries } from "../../../src/node/pushes/known-entries.ts";
import { contentOf, EntrySigner, entryKey, entryOf, partKey } from "../../../src/node/pushes/shared-entry.ts";
import type { SharedPushesReceiver } from "../../../src/sync/push/shared-pushes.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { until } from "../../support/until.ts";
import { pushOf, signingKey } from "../nats/sharing-gateway.ts";

const signer = new EntrySigner([signingKey], "gen_api");

const clock = new SimulatedClock();

function createReader(): BucketReader {
  const known = new KnownEntries(10);
  const troubled = (error: Error) => expect.unreachable(error.message);
  const writer = new BucketWriter({ signer, clock, random: Math.random, known, troubled, pending: () => undefined });
  return new BucketReader({ signer, clock, known, writer });
}

/** A bucket with the pushes of these nodes, that never changes. What is asked of it is held up where a test says so. */
class StillStore implements EntryStore {
  readonly maxValueBytes = 1_000_000;
  readonly #values = new Map<string, Uint8Array>();
  readonly #heldUp: "read" | "watch";
  /** Lets what is held up go on. */
  goOn: () => void = () => undefined;
  readonly #goesOn = new Promise<void>((resolve) => {
    this.goOn = resolve;
  });

  constructor(heldUp: "read" | "watch", nodes: readonly string[]) {
    this.#heldUp = heldUp;
    for (const node of nodes) {
      const key = entryKey("users", node);
      const content = contentOf(pushOf(node), this.maxValueBytes);
      const entry = entryOf(content, clock.systemTime());
      this.#values.set(key, signer.sign(key, entry));
      for (const [place, part] of content.parts.entries()) this.#values.set(partKey(key, entry, place), part);
    }
  }

  async read(key: string): Promise<StoredValue> {
    if (this.#heldUp === "read") await this.#goesOn;
    return { value: this.#values.get(key) ?? null, revision: 1 };
  }

  async keys(prefix: string): Promise<string[]> {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix));
  }

  async watch(prefix: string): Promise<Watch> {
    if (this.#heldUp === "watch") await this.#goesOn;
    const keys = await this.keys(prefix);
    const found = keys.map((key, place) => {
      return { key, value: this.#values.get(key) ?? null, revision: 1, isLast: place === keys.length - 1 };
    });
    let stop = (): void => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    async function* values(): AsyncIterable<WatchedValue> {
      yield* found;
      await stopped;
    }
    return { values: values(), stop };
  }

  readonly write = async () => undefined;
  readonly replace = async () => false;
  readonly forget = async () => undefined;
  check = async (): Promise<void> => undefined;
}

/** Who notes what it is told. */
class Receiver implements SharedPushesReceiver {
  readonly told: string[] = [];
  readonly shared = ({ node }: { readonly node: string }) => void this.told.push(node);
  readonly removed = (_service: string, node: string) => void this.told.push(`${node} removed`);
  readonly refused = (key: string, problem: string) => void this.told.push(`${key}: ${problem}`);
  readonly orphaned = (_service: string, node: string) => void this.told.push(`${node} orphaned`);
  readonly read = () => void this.told.push("all");
  readonly unread = (problem: string) => void this.told.push(`unread: ${problem}`);
}

// A receiver crashes while the reader waits for the store, and its successor asks to be told.
test.each([
  ["what was being read when it came", "read", ["users@a", "users@b"]],
  ["what is there, where the watch was being opened when it came", "watch", ["users@a", "users@b"]],
  ["that nothing is there, where the watch was being opened when it came", "watch", []],
] as const)("a new receiver is told %s", async (_, heldUp, nodes) => {
  const reader = createReader();
  const store = new StillStore(heldUp, nodes);
  const [first, second] = [new Receiver(), new Receiver()];
  let isEnded = false;
  reader.tell(first);
  const told = reader.follow(store, () => isEnded);
  await new Promise(setImmediate);
  reader.tell(second);
  store.goOn();
  expect(await told).toBe("again");
  const again = reader.follow(store, () => isEnded);
  await until(() => second.told.includes("all"));
  isEnded = true;
  reader.stop();
  await again;
  expect(second.told).toEqual([...nodes, "all"]);
  expect(first.told).toEqual([]);
});

test("a store that is gone ends the reading within five seconds, though its watch stays silent", async () => {
  const reader = createReader();
  const store = new StillStore("read", []);
  const receiver = new Receiver();
  reader.tell(receiver);
  const following = reader.follow(store, () => false);
  await until(() => receiver.told.includes("all"));
  store.check = () => Promise.reject(new Error("stream not found"));
  clock.advance(5_000);
  await expect(following).rejects.toThrow("stream not found");
  reader.failed(new Error("stream not found"));
  expect(receiver.told).toEqual(["all", "unread: stream not found"]);
});
