import type { Clock } from "../../core/time/clock.ts";
import type { AcceptedPush } from "../../sync/push/push.ts";
import type { SharedPushes, SharedPushesReceiver } from "../../sync/push/shared-pushes.ts";
import { BucketReader } from "./bucket-reader.ts";
import { BucketSession } from "./bucket-session.ts";
import { BucketWriter } from "./bucket-writer.ts";
import type { EntryStore } from "./entry-store.ts";
import { KnownEntries } from "./known-entries.ts";
import { EntrySigner } from "./shared-entry.ts";

/** The settings of a {@link SharedBucket}. */
interface SharedBucketSettings {
  /** The bucket's name, which every signature covers. */
  readonly bucket: string;
  /** The first one signs; signatures by any of them are trusted. */
  readonly signingKeys: readonly [string, ...string[]];
  /** The most entries that are read. */
  readonly maxEntries: number;
  /** See {@link SharedPushes.readTimeoutMs}. */
  readonly readTimeoutMs: number;
}

/** The options of a {@link SharedBucket}. */
export interface SharedBucketOptions {
  readonly settings: SharedBucketSettings;
  readonly clock: Clock;
  readonly random: () => number;
  /** Something failed and will be retried, or cannot be shared at all. */
  troubled(error: Error): void;
}

/**
 * The pushes that gateways share, in a bucket of a key-value store. Each connection opens and watches it again; entries
 * of this gateway that are missing are put again.
 */
export class SharedBucket implements SharedPushes {
  readonly #options: SharedBucketOptions;
  readonly #writer: BucketWriter;
  readonly #reader: BucketReader;
  #session: BucketSession | null = null;

  constructor(options: SharedBucketOptions) {
    this.#options = options;
    const { settings, clock, random, troubled } = options;
    const signer = new EntrySigner(settings.signingKeys, settings.bucket);
    const known = new KnownEntries(settings.maxEntries);
    const pending = () => this.#session?.wake();
    this.#writer = new BucketWriter({ signer, clock, random, known, troubled, pending });
    this.#reader = new BucketReader({ signer, clock, known, writer: this.#writer });
  }

  get readTimeoutMs(): number {
    return this.#options.settings.readTimeoutMs;
  }

  watch(receiver: SharedPushesReceiver): void {
    this.#reader.tell(receiver);
    this.#session?.wake();
  }

  /** Reads and reports everything again, including missed changes. */
  readAgain(): void {
    this.#reader.stop();
  }

  put(push: AcceptedPush): void {
    this.#writer.put(push);
  }

  remove(service: string, node: string): Promise<boolean> {
    return this.#session === null ? Promise.resolve(false) : this.#writer.remove(service, node);
  }

  /**
   * There is a connection to the store.
   * @param open opens the store; called again after every failure
   */
  connected(open: () => Promise<EntryStore>): void {
    const { clock, random, troubled } = this.#options;
    this.#session = new BucketSession({
      open,
      writer: this.#writer,
      reader: this.#reader,
      clock,
      random,
      troubled,
    });
  }

  /** The connection is lost, or ends. */
  lost(): void {
    this.#session?.end();
    this.#session = null;
    this.#writer.lost();
  }
}
