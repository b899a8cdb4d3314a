import type { AcceptedPush } from "../../config/push.ts";
import type { SharedPushes, SharedPushesReceiver } from "../../config/shared-pushes.ts";
import type { Clock } from "../../core/clock.ts";
import type { BrokerLink } from "./broker-link.ts";
import { BucketReader } from "./bucket-reader.ts";
import { BucketSession } from "./bucket-session.ts";
import { BucketStore } from "./bucket-store.ts";
import { BucketWriter } from "./bucket-writer.ts";
import type { KnownEntries } from "./known-entries.ts";
import type { NatsSettings } from "./nats-options.ts";
import type { NatsPackages } from "./nats-packages.ts";
import { EntrySigner } from "./shared-entry.ts";

/** What a {@link SharedBucket} needs. */
export interface SharedBucketOptions {
  readonly settings: NatsSettings;
  readonly clock: Clock;
  readonly random: () => number;
  /** Something failed and will be tried again, or cannot be shared at all. */
  troubled(error: Error): void;
}

/**
 * The pushes that gateways share, in a key-value bucket of JetStream. With every connection it is opened and watched
 * anew; what this gateway put there is put again where it is missing.
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
    const known: KnownEntries = new Map();
    const pending = () => this.#session?.wake();
    this.#writer = new BucketWriter({ signer, clock, random, known, troubled, pending });
    this.#reader = new BucketReader({ signer, clock, known, writer: this.#writer });
  }

  watch(receiver: SharedPushesReceiver): void {
    this.#reader.tell(receiver);
    this.#session?.wake();
  }

  put(push: AcceptedPush): void {
    this.#writer.put(push);
  }

  remove(service: string, node: string): void {
    this.#writer.remove(service, node);
  }

  /** There is a connection to NATS. */
  connected(link: BrokerLink, packages: NatsPackages): void {
    const { settings, clock, random, troubled } = this.#options;
    this.#session = new BucketSession({
      open: () => BucketStore.open(link, packages, settings),
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
