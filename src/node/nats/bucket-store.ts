import type { Consumers, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";
import type { EntryStore, StoredValue, Watch, WatchedValue } from "../pushes/entry-store.ts";
import type { BrokerLink } from "./broker-link.ts";
import type { NatsSettings } from "./nats-options.ts";
import type { NatsPackages } from "./nats-packages.ts";
import { streamOf } from "./subjects.ts";

const requestMs = 5_000;

// Beyond this size, the server accepts nothing new.
const maxBucketBytes = 256 * 1024 * 1024;

const maxPartBytes = 512 * 1024;

// The room that JetStream's own headers take in a message.
const headerBytes = 1_024;

/**
 * An {@link EntryStore} in one bucket over one connection: wraps the JetStream calls that it needs, and knows nothing
 * about the entries.
 */
export class BucketStore implements EntryStore {
  readonly maxValueBytes: number;
  readonly #packages: NatsPackages;
  readonly #kv: KV;
  readonly #manager: JetStreamManager;
  readonly #consumers: Consumers;
  readonly #bucket: string;
  readonly #stream: string;
  readonly #inbox: string;
  /** When the server made the bucket: one that was deleted and made anew has another time. */
  readonly #madeAt: string;

  private constructor(
    link: BrokerLink,
    packages: NatsPackages,
    settings: NatsSettings,
    kv: KV,
    manager: JetStreamManager,
    madeAt: string,
  ) {
    this.maxValueBytes = Math.min(maxPartBytes, Math.max(link.maxPayloadBytes - headerBytes, headerBytes));
    this.#packages = packages;
    this.#kv = kv;
    this.#manager = manager;
    this.#consumers = manager.jetstream().consumers;
    this.#bucket = settings.bucket;
    this.#stream = streamOf(settings.bucket);
    this.#inbox = settings.subjects.inbox;
    this.#madeAt = madeAt;
  }

  /** Opens the bucket, and creates it if missing. Rejects if JetStream does not answer, or refuses. */
  static async open(link: BrokerLink, packages: NatsPackages, settings: NatsSettings): Promise<BucketStore> {
    const { bucket, replicas } = settings;
    const client = packages.jetstream.jetstream(link.connection, { timeout: requestMs, checkAPI: false });
    // Reads go to the stream's leader: another replica may lack the latest writes.
    const options = { history: 1, replicas, max_bytes: maxBucketBytes, allow_direct: false, timeout: requestMs };
    const kv = await new packages.kv.Kvm(client).create(bucket, options);
    const manager = await client.jetstreamManager(false);
    const { created } = await manager.streams.info(streamOf(bucket));
    return new BucketStore(link, packages, settings, kv, manager, created);
  }

  async read(key: string): Promise<StoredValue> {
    const entry = await this.#kv.get(key);
    if (entry === null) return { value: null, revision: 0 };
    return { value: entry.operation === "PUT" ? entry.value : null, revision: entry.revision };
  }

  async write(key: string, value: Uint8Array): Promise<void> {
    await this.#kv.put(key, value, { timeout: requestMs });
  }

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

  async keys(prefix: string): Promise<string[]> {
    const { state } = await this.#manager.streams.info(this.#stream, { subjects_filter: this.#subject(`${prefix}>`) });
    return Object.keys(state.subjects ?? {}).map((subject) => this.#keyOf(subject));
  }

  async forget(key: string, revision?: number): Promise<void> {
    const filter = this.#subject(key);
    await this.#manager.streams.purge(
      this.#stream,
      revision === undefined ? { filter } : { filter, seq: revision + 1 },
    );
  }

  async check(): Promise<void> {
    const { created } = await this.#manager.streams.info(this.#stream);
    if (created !== this.#madeAt) throw new Error(`The bucket ${this.#bucket} has been deleted and made anew`);
  }

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
        // Otherwise the server would drop it after five minutes without a listener.
        consumer.delete().catch(() => undefined);
      },
    };
  }

  #watched(message: JsMsg): WatchedValue {
    const operation = message.headers?.get("KV-Operation") ?? "";
    const value = operation === "" || operation === "PUT" ? message.data : null;
    return { key: this.#keyOf(message.subject), value, revision: message.seq, isLast: message.info.pending === 0 };
  }

  #subject(key: string): string {
    return `$KV.${this.#bucket}.${key}`;
  }

  #keyOf(subject: string): string {
    return subject.slice(`$KV.${this.#bucket}.`.length);
  }
}
