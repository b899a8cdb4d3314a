import type { AcceptedPush } from "../../config/push.ts";
import type { Clock } from "../../core/clock.ts";
import { libraryError } from "../../core/errors.ts";
import type { BucketStore } from "./bucket-store.ts";
import { type KnownEntries, maxEntries } from "./known-entries.ts";
import { Repairs } from "./repairs.ts";
import {
  contentOf,
  type EntrySigner,
  entryKey,
  entryOf,
  isNewer,
  maxContentBytes,
  type PushContent,
  partKey,
  partsPrefix,
  type SharedEntry,
  stampOfPart,
} from "./shared-entry.ts";

/** What a {@link BucketWriter} needs. */
export interface BucketWriterOptions {
  readonly signer: EntrySigner;
  readonly clock: Clock;
  readonly random: () => number;
  readonly known: KnownEntries;
  /** Something cannot be shared. */
  troubled(error: Error): void;
  /** There is something to write. */
  pending(): void;
}

/** What this gateway wants to be in the bucket under one key. */
interface Wanted {
  /** Null where the push is to be taken back. */
  readonly push: AcceptedPush | null;
  /** When it was wanted; where another gateway wanted something else later, that stands. */
  stamp: number;
  /** Of what is in the bucket; undefined until that is settled. */
  digest: string | null | undefined;
}

// How often in a row other gateways may be faster.
const maxRaces = 10;

/** Brings what this gateway wants shared into the bucket, key by key. */
export class BucketWriter {
  readonly #options: BucketWriterOptions;
  readonly #wanted = new Map<string, Wanted>();
  readonly #pending = new Set<string>();
  readonly #repairs: Repairs;

  constructor(options: BucketWriterOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#repairs = new Repairs({ clock, random, due: (key) => this.#due(key) });
  }

  put(push: AcceptedPush): void {
    this.#want(entryKey(push.service, push.node), push);
  }

  remove(service: string, node: string): void {
    this.#want(entryKey(service, node), null);
  }

  /** What is in the bucket under `key` cannot be believed: what this gateway wants there is put again, with backoff. */
  repair(key: string): void {
    if (this.#wanted.has(key) && !this.#pending.has(key)) this.#repairs.ask(key);
  }

  /** These keys have entries: what was put under others is put again. */
  present(keys: ReadonlySet<string>): void {
    for (const [key, { digest }] of this.#wanted) if (digest && !keys.has(key)) this.repair(key);
  }

  /** Another gateway put an entry: this one wants nothing else there, unless it wanted that later. */
  superseded(key: string, { stamp, digest }: SharedEntry): void {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined || this.#pending.has(key)) return;
    if (digest !== wanted.digest && stamp >= wanted.stamp) this.#drop(key);
  }

  /** What was taken back has left the bucket. */
  forget(key: string): void {
    if (this.#wanted.get(key)?.push === null && !this.#pending.has(key)) this.#drop(key);
  }

  /** The bucket is out of reach: what waits to be put again no longer waits for anything else. */
  lost(): void {
    for (const key of this.#repairs.stop()) this.#pending.add(key);
  }

  /** Writes one of the keys that are to be written. Rejects when it could not: that key is then to be written again. */
  async writeNext(store: BucketStore): Promise<"again" | "idle"> {
    const [key] = this.#pending;
    if (key === undefined) return "idle";
    this.#pending.delete(key);
    try {
      await this.#write(store, key);
    } catch (error) {
      // There may be another connection by now, whose session found nothing to do.
      this.#due(key);
      throw error;
    }
    return "again";
  }

  #want(key: string, push: AcceptedPush | null): void {
    const { clock, known, troubled } = this.#options;
    const before = this.#wanted.get(key);
    if (before === undefined && this.#wanted.size >= maxEntries) {
      troubled(libraryError("unavailable", `More than ${maxEntries} pushes cannot be shared: ${key} is not`));
      return;
    }
    const last = Math.max(known.get(key)?.entry.stamp ?? 0, before?.stamp ?? 0);
    this.#wanted.set(key, { push, stamp: Math.max(Math.floor(clock.systemTime()), last + 1), digest: undefined });
    this.#due(key);
  }

  #due(key: string): void {
    this.#pending.add(key);
    this.#options.pending();
  }

  #drop(key: string): void {
    this.#wanted.delete(key);
    this.#repairs.forget(key);
  }

  async #write(store: BucketStore, key: string): Promise<void> {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) return;
    const content = wanted.push === null ? null : contentOf(wanted.push, store.maxValueBytes);
    for (let race = 0; race < maxRaces; race += 1) {
      if (await this.#writeOnce(store, key, wanted, content)) return;
    }
    this.#options.troubled(libraryError("unavailable", `Others kept changing ${key} of the bucket`));
    this.#repairs.ask(key);
  }

  /** @returns false where another gateway changed the key at the same time */
  async #writeOnce(store: BucketStore, key: string, wanted: Wanted, content: PushContent | null): Promise<boolean> {
    const { signer, troubled } = this.#options;
    const { value, revision } = await store.read(key);
    const verified = value === null ? null : signer.verify(key, value);
    const current = typeof verified === "string" ? null : verified;
    const digest = content?.digest ?? null;
    if (current?.digest === digest || (content === null && value === null)) {
      wanted.stamp = Math.max(wanted.stamp, current?.stamp ?? 0);
      wanted.digest = digest;
      return true;
    }
    const entry = content === null ? { stamp: wanted.stamp, digest, parts: [] } : entryOf(content, wanted.stamp);
    if (current !== null && isNewer(current, entry)) {
      if (this.#wanted.get(key) === wanted) this.#drop(key);
      return true;
    }
    const signed = signer.sign(key, entry);
    const bytes = content?.parts.reduce((sum, part) => sum + part.length, 0) ?? 0;
    if (bytes > maxContentBytes || signed.length > store.maxValueBytes) {
      this.#drop(key);
      troubled(libraryError("unavailable", `A push of ${bytes} bytes is too large to be shared: ${key}`));
      return true;
    }
    // The parts first: whoever sees the entry finds them.
    for (const [place, part] of (content?.parts ?? []).entries()) await store.write(partKey(key, entry, place), part);
    if (!(await store.replace(key, signed, revision))) return false;
    wanted.digest = digest;
    await this.#removeOlderParts(store, key, entry);
    return true;
  }

  /** Parts of entries before this one, of those too that were never finished. Later ones are another gateway's. */
  async #removeOlderParts(store: BucketStore, key: string, { stamp }: SharedEntry): Promise<void> {
    const contents = new Set<string>();
    for (const part of await store.keys(partsPrefix(key))) {
      if ((stampOfPart(part) ?? stamp) < stamp) contents.add(part.slice(0, part.lastIndexOf(".")));
    }
    for (const content of contents) await store.forget(`${content}.>`);
  }
}
