import type { JetStreamClient } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";
import { libraryError } from "../../core/errors.ts";
import type { PeerSigner } from "../peers/peer-signer.ts";
import { type Claim, claimTtlMs } from "../peers/peers.ts";
import type { BrokerLink } from "./broker-link.ts";
import type { NatsSettings } from "./nats-options.ts";
import type { NatsPackages } from "./nats-packages.ts";
import { claimBucketOf, streamOf } from "./subjects.ts";

const requestMs = 5_000;

// The oldest claims go first.
const maxBytes = 128 * 1024 * 1024;

// Each attempt lost to another gateway's, which has then claimed the key.
const maxAttempts = 8;

/** The key-value bucket in which gateways claim keys: over one connection. */
export class ClaimBucket {
  readonly #packages: NatsPackages;
  readonly #bucket: string;
  readonly #kv: KV;
  readonly #signer: PeerSigner;
  readonly #address: string;

  private constructor(packages: NatsPackages, bucket: string, kv: KV, signer: PeerSigner, address: string) {
    this.#packages = packages;
    this.#bucket = bucket;
    this.#kv = kv;
    this.#signer = signer;
    this.#address = address;
  }

  /** Opens the bucket, and creates it if missing. Rejects if JetStream does not answer, or refuses. */
  static async open(
    link: BrokerLink,
    packages: NatsPackages,
    settings: NatsSettings,
    signer: PeerSigner,
    address: string,
  ): Promise<ClaimBucket> {
    const bucket = claimBucketOf(settings.bucket);
    const client = packages.jetstream.jetstream(link.connection, { timeout: requestMs, checkAPI: false });
    await createStream(client, packages, bucket, settings.replicas);
    // Reads go to the stream's leader: another replica may lack the latest writes.
    const kv = await new packages.kv.Kvm(client).open(bucket, { allow_direct: false, timeout: requestMs });
    return new ClaimBucket(packages, bucket, kv, signer, address);
  }

  /** As `Peers.claim`. */
  async claim(key: string, revision: number): Promise<Claim> {
    let known = revision;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const claimed = await this.#write(key, known);
      if (claimed !== null) return { owner: this.#address, revision: claimed };
      const entry = await this.#kv.get(key);
      const owner = entry === null ? null : this.#signer.read(this.#contextOf(key), entry.value);
      known = entry?.revision ?? 0;
      if (owner !== null && owner !== this.#address) return { owner, revision: known };
      // What is not signed is no claim; and it may be this gateway's own.
    }
    throw libraryError("unavailable", `The key ${key} was claimed by too many gateways at once`);
  }

  /** @returns its new revision; null if it has changed since this one */
  async #write(key: string, revision: number): Promise<number | null> {
    try {
      const value = this.#signer.sign(this.#contextOf(key), this.#address);
      return await this.#kv.put(key, value, { previousSeq: revision, timeout: requestMs });
    } catch (error) {
      const { JetStreamApiError, JetStreamApiCodes } = this.#packages.jetstream;
      const { StreamWrongLastSequence, StreamWrongLastSequenceUnknown } = JetStreamApiCodes;
      if (!(error instanceof JetStreamApiError)) throw error;
      if (error.code !== StreamWrongLastSequence && error.code !== StreamWrongLastSequenceUnknown) throw error;
      return null;
    }
  }

  #contextOf(key: string): string {
    return `claim\n${this.#bucket}\n${key}`;
  }
}

/** Unlike the package's own buckets, it drops the oldest values when it is full. */
async function createStream(
  client: JetStreamClient,
  { jetstream: { DiscardPolicy } }: NatsPackages,
  bucket: string,
  replicas: number,
): Promise<void> {
  const manager = await client.jetstreamManager(false);
  await manager.streams.add({
    name: streamOf(bucket),
    subjects: [`$KV.${bucket}.>`],
    max_msgs_per_subject: 1,
    max_age: claimTtlMs * 1_000_000,
    max_bytes: maxBytes,
    discard: DiscardPolicy.Old,
    num_replicas: replicas,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: false,
  });
}
