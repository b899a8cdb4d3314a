import type { AcceptedPush } from "../../config/push.ts";
import type { SharedPushesReceiver } from "../../config/shared-pushes.ts";
import type { Clock } from "../../core/clock.ts";
import type { BucketStore, Watch, WatchedValue } from "./bucket-store.ts";
import type { BucketWriter } from "./bucket-writer.ts";
import { type KnownEntries, maxEntries } from "./known-entries.ts";
import { Refusals } from "./refusals.ts";
import {
  type EntrySigner,
  entryPrefix,
  isNewer,
  isSame,
  maxContentBytes,
  ownerOf,
  partKey,
  pushOf,
  type SharedEntry,
} from "./shared-entry.ts";

/** What a {@link BucketReader} needs. */
export interface BucketReaderOptions {
  readonly signer: EntrySigner;
  readonly clock: Clock;
  readonly known: KnownEntries;
  readonly writer: BucketWriter;
}

// Everything is read again so often, in case a change was not heard.
const reconcileMs = 60_000;

// A push that was taken back is remembered so long, so that no older entry of it is believed.
const removedMs = 24 * 60 * 60 * 1_000;

/** Follows a bucket and tells its receiver of every entry that a gateway signed and that is newer than the last. */
export class BucketReader {
  readonly #options: BucketReaderOptions;
  readonly #refusals: Refusals;
  #receiver: SharedPushesReceiver | null = null;
  #watch: Watch | null = null;

  constructor(options: BucketReaderOptions) {
    this.#options = options;
    this.#refusals = new Refusals(options.clock);
  }

  /** From now on this receiver is told, of what is there already too. */
  tell(receiver: SharedPushesReceiver): void {
    this.#receiver = receiver;
    for (const known of this.#options.known.values()) known.isTold = false;
    this.#refusals.clear();
    this.stop();
  }

  /** Ends a {@link follow} that is under way. */
  stop(): void {
    this.#watch?.stop();
  }

  /** Reads all entries, then every change, for a minute. */
  async follow(store: BucketStore, isEnded: () => boolean): Promise<"again" | "idle"> {
    const receiver = this.#receiver;
    if (receiver === null) return "idle";
    const { clock, writer } = this.#options;
    await this.#forgetRemoved(store);
    const watch = await store.watch(entryPrefix);
    this.#watch = watch;
    const timer = clock.setTimeout(() => watch.stop(), reconcileMs);
    try {
      writer.present(new Set(await store.keys(entryPrefix)));
      for await (const value of watch.values) {
        if (isEnded() || this.#receiver !== receiver) break;
        await this.#take(store, receiver, value);
      }
    } finally {
      clock.clearTimeout(timer);
      watch.stop();
      this.#watch = null;
    }
    return "again";
  }

  async #take(store: BucketStore, receiver: SharedPushesReceiver, watched: WatchedValue): Promise<void> {
    const entry = this.#check(watched);
    if (entry === null) return;
    if (typeof entry === "string") {
      this.#refuse(receiver, watched, entry);
      return;
    }
    const push = entry.digest === null ? null : await this.#read(store, watched, entry);
    if (typeof push === "string") {
      this.#refuse(receiver, watched, push);
    } else if (push !== undefined) {
      const { key, revision } = watched;
      this.#options.known.set(key, { entry: { ...entry, parts: [] }, revision, isTold: true });
      this.#options.writer.superseded(key, entry);
      const owner = ownerOf(key);
      if (push !== null) receiver.shared(push);
      else if (owner !== null) receiver.removed(owner.service, owner.node);
    }
  }

  /** @returns the entry, if it is to be told; as text, why it cannot be believed; null where there is nothing to tell */
  #check({ key, value }: WatchedValue): SharedEntry | string | null {
    const { signer, known } = this.#options;
    if (ownerOf(key) === null) return "its key names no service and node";
    const last = known.get(key);
    if (value === null) return last === undefined || last.entry.digest === null ? null : "it was deleted unsigned";
    const entry = signer.verify(key, value);
    if (typeof entry === "string") return entry;
    if (last === undefined) return known.size < maxEntries ? entry : `there are more than ${maxEntries} entries`;
    if (isNewer(last.entry, entry)) return "it is older than one that was there before";
    return last.isTold && isSame(last.entry, entry) ? null : entry;
  }

  /** @returns as text, why it cannot be read; undefined where the entry has been replaced meanwhile */
  async #read(
    store: BucketStore,
    { key, revision }: WatchedValue,
    entry: SharedEntry,
  ): Promise<AcceptedPush | string | undefined> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (let place = 0; place < entry.parts.length; place += 1) {
      const { value } = await store.read(partKey(key, entry, place));
      if (value === null) {
        const { revision: now } = await store.read(key);
        return now === revision ? `part ${place} of it is missing` : undefined;
      }
      bytes += value.length;
      if (bytes > maxContentBytes) return `it has more than ${maxContentBytes} bytes`;
      parts.push(value);
    }
    return pushOf(key, entry, parts);
  }

  #refuse(receiver: SharedPushesReceiver, { key, revision }: WatchedValue, problem: string): void {
    this.#options.writer.repair(key);
    if (this.#refusals.take(key, revision)) receiver.refused(key, problem);
  }

  /** What was taken back long ago leaves the bucket. */
  async #forgetRemoved(store: BucketStore): Promise<void> {
    const { clock, known, writer } = this.#options;
    const before = clock.systemTime() - removedMs;
    for (const [key, { entry, revision }] of known) {
      if (entry.digest !== null || entry.stamp > before) continue;
      await store.forget(key, revision);
      known.delete(key);
      writer.forget(key);
    }
  }
}
