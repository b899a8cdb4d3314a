import type { Clock } from "../../core/time/clock.ts";
import type { AcceptedPush } from "../../sync/push/push.ts";
import type { SharedPushesReceiver } from "../../sync/push/shared-pushes.ts";
import type { BucketWriter } from "./bucket-writer.ts";
import type { EntryStore, Watch, WatchedValue } from "./entry-store.ts";
import type { KnownEntries } from "./known-entries.ts";
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
import { StoreCheck } from "./store-check.ts";

/** The options of a {@link BucketReader}. */
export interface BucketReaderOptions {
  readonly signer: EntrySigner;
  readonly clock: Clock;
  readonly known: KnownEntries;
  readonly writer: BucketWriter;
}

// Interval for reading everything again, in case a change was missed.
const reconcileMs = 60_000;

// How often a gateway renews an entry that it vouches for.
const renewMs = 6 * 60 * 60 * 1_000;

// No gateway vouches for an older entry any more: those that had received the push have ended.
const orphanedMs = 24 * 60 * 60 * 1_000;

// How long a withdrawal is remembered, so that no older entry is believed again.
const removedMs = 24 * 60 * 60 * 1_000;

/** Follows a bucket and notifies its receiver of every entry that a gateway signed and that is newer than the last. */
export class BucketReader {
  readonly #options: BucketReaderOptions;
  readonly #refusals: Refusals;
  #receiver: SharedPushesReceiver | null = null;
  #watch: Watch | null = null;

  constructor(options: BucketReaderOptions) {
    this.#options = options;
    this.#refusals = new Refusals(options.clock);
  }

  /** Sets the receiver, which also hears of what is there already. */
  tell(receiver: SharedPushesReceiver): void {
    this.#receiver = receiver;
    this.#options.known.untell();
    this.#refusals.clear();
    this.stop();
  }

  /** Ends a running {@link follow}. */
  stop(): void {
    this.#watch?.stop();
  }

  /** The store cannot be opened or followed now: what gateways share may change unseen. */
  failed(error: Error): void {
    this.#receiver?.unread(error.message);
  }

  /**
   * Reads all entries, then every change, for a minute.
   * @throws as a rejection, when the store fails or is gone
   */
  async follow(store: EntryStore, isEnded: () => boolean): Promise<"again" | "idle"> {
    const receiver = this.#receiver;
    if (receiver === null) return "idle";
    const { clock, writer } = this.#options;
    await this.#forgetRemoved(store);
    const watch = await store.watch(entryPrefix);
    const isOver = () => isEnded() || this.#receiver !== receiver;
    if (isOver()) {
      // Whoever stopped this while the watch was being opened found none to stop.
      watch.stop();
      return "again";
    }
    this.#watch = watch;
    const timer = clock.setTimeout(() => watch.stop(), reconcileMs);
    const check = new StoreCheck(store, clock, () => watch.stop());
    try {
      const present = await store.keys(entryPrefix);
      writer.present(new Set(present));
      if (present.length === 0) this.#allTold(receiver);
      for await (const value of watch.values) {
        if (isOver()) break;
        await this.#take(store, receiver, value);
        if (value.isLast) this.#allTold(receiver);
      }
    } finally {
      clock.clearTimeout(timer);
      check.stop();
      watch.stop();
      this.#watch = null;
    }
    if (check.problem !== null) throw check.problem;
    return "again";
  }

  #allTold(receiver: SharedPushesReceiver): void {
    const { clock, known, writer } = this.#options;
    receiver.read();
    const now = clock.systemTime();
    for (const key of known.since(now - renewMs)) {
      if (writer.renew(key)) continue;
      const owner = ownerOf(key);
      const stamp = known.get(key)?.entry.stamp ?? now;
      if (owner !== null && stamp <= now - orphanedMs) receiver.orphaned(owner.service, owner.node);
    }
  }

  async #take(store: EntryStore, receiver: SharedPushesReceiver, watched: WatchedValue): Promise<void> {
    const entry = this.#check(watched);
    if (entry === null) return;
    if (typeof entry === "string") {
      this.#refuse(receiver, watched, entry);
      return;
    }
    const push = entry.digest === null ? null : await this.#read(store, watched, entry);
    if (typeof push === "string") {
      this.#refuse(receiver, watched, push);
    } else if (push !== undefined && this.#receiver === receiver) {
      // Where there is another receiver by now, it hears of the entry when all is read for it.
      const { key, revision } = watched;
      this.#options.known.set(key, { entry: { ...entry, parts: [] }, revision, isTold: true });
      this.#options.writer.superseded(key, entry);
      const owner = ownerOf(key);
      if (push !== null) receiver.shared(push);
      else if (owner !== null) receiver.removed(owner.service, owner.node);
    }
  }

  /**
   * @returns the entry, if it is to be reported; as text, why it cannot be trusted; null if there is nothing to report
   */
  #check({ key, value }: WatchedValue): SharedEntry | string | null {
    const { signer, known } = this.#options;
    if (ownerOf(key) === null) return "its key names no service and node";
    const last = known.get(key);
    if (value === null) return last === undefined || last.entry.digest === null ? null : "it was deleted unsigned";
    const entry = signer.verify(key, value);
    if (typeof entry === "string") return entry;
    const isMore = entry.digest !== null && (last === undefined || last.entry.digest === null);
    if (isMore && known.isFull)
      return `there are more than ${known.max} entries, as many as the option maxEntries allows`;
    if (last === undefined) return entry;
    if (isNewer(last.entry, entry)) return "it is older than one that was there before";
    return last.isTold && isSame(last.entry, entry) ? null : entry;
  }

  /** @returns as text, why it cannot be read; undefined if the entry has been replaced meanwhile */
  async #read(
    store: EntryStore,
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

  /** Removes old withdrawals from the bucket. */
  async #forgetRemoved(store: EntryStore): Promise<void> {
    const { clock, known, writer } = this.#options;
    const before = clock.systemTime() - removedMs;
    for (const [key, { revision }] of known.forgettable(before)) {
      await store.forget(key, revision);
      known.delete(key);
      writer.forget(key);
    }
  }
}
