import type { Consumers, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";
import type { BrokerLink } from "./broker-link.ts";
import type { NatsSettings } from "./nats-options.ts";
import type { NatsPackages } from "./nats-packages.ts";
import { streamOf } from "./subjects.ts";

/** A value as it was found; null where the key was deleted, or never there. */
export interface StoredValue {
  readonly value: Uint8Array | null;
  /** What {@link BucketStore.replace} compares with; 0 where there was never anything. */
  readonly revision: number;
}

/** A value as a watch tells it. */
export interface WatchedValue extends StoredValue {
  readonly key: string;
}

/** Values as they come; ends when it is stopped, or when the server ended it. */
export interface Watch {
  readonly values: AsyncIterable<WatchedValue>;
  /** Ends it, at the server too. */
  stop(): void;
}

const requestMs = 5_000;

// More than this, and the server takes nothing new.
const maxBucketBytes = 256 * 1024 * 1024;

const maxPartBytes = 512 * 1024;

// What JetStream's own headers take of a message.
const headerBytes = 1_024;

/** One bucket over one connection: what of JetStream is used, and nothing of what is kept there. */
export class BucketStore {
  /** The most bytes of one value. */
  readonly maxValueBytes: number;
  readonly #packages: NatsPackages;
  readonly #kv: KV;
  readonly #manager: JetStreamManager;
  readonly #consumers: Consumers;
  readonly #bucket: string;
  readonly #stream: string;
  readonly #inbox: string;

  private constructor(
    link: BrokerLink,
    packages: NatsPackages,
    settings: NatsSettings,
    kv: KV,
    manager: JetStreamManager,
  ) {
    this.maxValueBytes = Math.min(maxPartBytes, Math.max(link.maxPayloadBytes - headerBytes, headerBytes));
    this.#packages = packages;
    this.#kv = kv;
    this.#manager = manager;
    this.#consumers = manager.jetstream().consumers;
    this.#bucket = settings.bucket;
    this.#stream = streamOf(settings.bucket);
    this.#inbox = settings.subjects.inbox;
  }

  /** Opens the bucket, and makes it where it is missing. Rejects when JetStream does not answer, or refuses. */
  static async open(link: BrokerLink, packages: NatsPackages, settings: NatsSettings): Promise<BucketStore> {
    const { bucket, replicas } = settings;
    const client = packages.jetstream.jetstream(link.connection, { timeout: requestMs, checkAPI: false });
    // Reads go to the stream's leader: another replica may not have yet what was written a moment ago.
    const options = { history: 1, replicas, max_bytes: maxBucketBytes, allow_direct: false, timeout: requestMs };
    const kv = await new packages.kv.Kvm(client).create(bucket, options);
    const manager = await client.jetstreamManager(false);
    return new BucketStore(link, packages, settings, kv, manager);
  }

  async read(key: string): Promise<StoredValue> {
    const entry = await this.#kv.get(key);
    if (entry === null) return { value: null, revision: 0 };
    return { value: entry.operation === "PUT" ? entry.value : null, revision: entry.revision };
  }

  async write(key: string, value: Uint8Array): Promise<void> {
    await this.#kv.put(key, value, { timeout: requestMs });
  }

  /** Writes unless the key has changed since `revision`. @returns whether it was written */
  async replace(key: string, value: Uint8Array, revision: number): Promise<boolean> {
    try {
      await this.#kv.put(key, value, { previousSeq: revision, timeout: requestMs });
      return true;
    } catch (error) {
      const { JetStreamApiError, JetStreamApiCodes } = this.#packages.jetstream;
      const { StreamWrongLastSequence, StreamWrongLastSequenceUnknown } = JetStreamApiCodes;
      if (!(error instanceof JetStreamApiError)) throw error;
      if (error.code !== StreamWrongLastSequence && error.code !== StreamWrongLastSequenceUnknown) throw error;
      return false;
    }
  }

  /** The keys that begin with a prefix, which ends with a dot. */
  async keys(prefix: string): Promise<string[]> {
    const { state } = await this.#manager.streams.info(this.#stream, { subjects_filter: this.#subject(`${prefix}>`) });
    return Object.keys(state.subjects ?? {}).map((subject) => this.#keyOf(subject));
  }

  /** Removes what is kept under a key and leaves nothing, unless it has changed since `revision`. */
  async forget(key: string, revision?: number): Promise<void> {
    const filter = this.#subject(key);
    await this.#manager.streams.purge(
      this.#stream,
      revision === undefined ? { filter } : { filter, seq: revision + 1 },
    );
  }

  /** The last value of every key that begins with a prefix, then every change. */
  async watch(prefix: string): Promise<Watch> {
    const { DeliverPolicy } = this.#packages.jetstream;
    const { createInbox } = this.#packages.transport;
    const consumer = await this.#consumers.getPushConsumer(this.#stream, {
      deliver_prefix: createInbox(this.#inbox),
      filter_subjects: this.#subject(`${prefix}>`),
      deliver_policy: DeliverPolicy.LastPerSubject,
    });
    const messages = await consumer.consume();
    const toValue = (message: JsMsg) => this.#watched(message);
    return {
      values: (async function* () {
        for await (const message of messages) yield toValue(message);
      })(),
      stop() {
        messages.stop();
        // Left behind, the server would drop it after five minutes without a listener.
        consumer.delete().catch(() => undefined);
      },
    };
  }

  #watched(message: JsMsg): WatchedValue {
    const operation = message.headers?.get("KV-Operation") ?? "";
    const value = operation === "" || operation === "PUT" ? message.data : null;
    return { key: this.#keyOf(message.subject), value, revision: message.seq };
  }

  #subject(key: string): string {
    return `$KV.${this.#bucket}.${key}`;
  }

  #keyOf(subject: string): string {
    return subject.slice(`$KV.${this.#bucket}.`.length);
  }
}
