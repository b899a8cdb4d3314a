import { libraryError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { AcceptedPush } from "../../sync/push/push.ts";
import type { EntryStore } from "./entry-store.ts";
import type { KnownEntries } from "./known-entries.ts";
import { Repairs } from "./repairs.ts";
import {
  contentOf,
  type EntrySigner,
  entryKey,
  entryOf,
  isNewer,
  isSame,
  maxContentBytes,
  type PushContent,
  partKey,
  partsPrefix,
  type SharedEntry,
  stampOfPart,
} from "./shared-entry.ts";

/** The options of a {@link BucketWriter}. */
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

/** What this gateway wants the bucket to contain under one key. */
interface Wanted {
  /** Null to withdraw the push. */
  readonly push: AcceptedPush | null;
  /** When it was decided; a later decision of another gateway takes precedence. */
  stamp: number;
  /** The digest of the bucket's content; undefined until known. */
  digest: string | null | undefined;
  /** For a removal: the entry to remove, and nothing that came since; undefined if none was known. */
  readonly removes?: SharedEntry | undefined;
  /** The entry to put once more with a later stamp, unless another gateway has done so. */
  readonly renews?: SharedEntry | undefined;
  /** For a removal: called with whether it was done. */
  readonly ended?: (isRemoved: boolean) => void;
}

// How often in a row other gateways may be faster.
const maxRaces = 10;

/** Writes what this gateway shares into the bucket, key by key. */
export class BucketWriter {
  readonly #options: BucketWriterOptions;
  readonly #wanted = new Map<string, Wanted>();
  readonly #pending = new Set<string>();
  /** The keys that are being written. */
  readonly #writing = new Set<string>();
  readonly #repairs: Repairs;
  /** How many of the wanted entries are not removals. */
  #puts = 0;

  constructor(options: BucketWriterOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#repairs = new Repairs({ clock, random, due: (key) => this.#due(key) });
  }

  put(push: AcceptedPush): void {
    const { known, troubled } = this.#options;
    const key = entryKey(push.service, push.node);
    if (this.#wanted.get(key)?.push || this.#puts < known.max) {
      this.#want(key, { push });
      return;
    }
    const limit = `More than ${known.max} pushes, as many as the option maxEntries allows`;
    troubled(libraryError("unavailable", `${limit}, cannot be shared: ${key} is not`));
  }

  /** Resolves with whether it was done; false if this must be decided again. */
  remove(service: string, node: string): Promise<boolean> {
    const key = entryKey(service, node);
    const removes = this.#options.known.get(key)?.entry;
    return new Promise((ended) => this.#want(key, { push: null, removes, ended }));
  }

  /**
   * Renews this gateway's entry under `key`.
   * @returns false if it has none there
   */
  renew(key: string): boolean {
    const wanted = this.#wanted.get(key);
    if (wanted?.push == null) return false;
    if (!this.#pending.has(key)) this.#want(key, { push: wanted.push, renews: this.#options.known.get(key)?.entry });
    return true;
  }

  /** The bucket's content under `key` cannot be trusted: puts this gateway's entry again, with backoff. */
  repair(key: string): void {
    if (this.#wanted.has(key) && !this.#pending.has(key)) this.#repairs.ask(key);
  }

  /** These keys have entries: entries under other keys are put again. */
  present(keys: ReadonlySet<string>): void {
    for (const [key, { digest }] of this.#wanted) if (digest && !keys.has(key)) this.repair(key);
  }

  /** Another gateway put an entry: it replaces this gateway's own, unless that is later. */
  superseded(key: string, { stamp, digest }: SharedEntry): void {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined || this.#pending.has(key)) return;
    // This gateway's own write may be seen before the server confirms it.
    const isWriting = stamp === wanted.stamp && wanted.digest === undefined;
    if (digest !== wanted.digest && stamp >= wanted.stamp && !isWriting) this.#drop(key);
  }

  /** A withdrawal has been removed from the bucket. */
  forget(key: string): void {
    if (this.#wanted.get(key)?.push === null && !this.#pending.has(key)) this.#drop(key);
  }

  /** The bucket is out of reach: entries that wait to be put again need not wait any longer. */
  lost(): void {
    // Over a lost connection a write may take seconds to fail, when there is another connection already.
    for (const key of this.#writing) this.#pending.add(key);
    this.#writing.clear();
    for (const key of this.#repairs.stop()) this.#pending.add(key);
    this.failed();
  }

  /** It cannot be written now: a removal is not repeated later, when a new entry may be there. */
  failed(): void {
    for (const [key, { push, digest }] of this.#wanted) if (push === null && digest === undefined) this.#drop(key);
  }

  /** Writes one pending key. Rejects if it fails: the key then stays pending. */
  async writeNext(store: EntryStore): Promise<"again" | "idle"> {
    const [key] = this.#pending;
    if (key === undefined) return "idle";
    this.#pending.delete(key);
    this.#writing.add(key);
    try {
      await this.#write(store, key);
    } catch (error) {
      // There may be another connection by now, whose session found nothing to do.
      this.#due(key);
      throw error;
    } finally {
      this.#writing.delete(key);
    }
    return "again";
  }

  #want(key: string, want: Omit<Wanted, "stamp" | "digest">): void {
    const { clock, known } = this.#options;
    const before = this.#wanted.get(key);
    const last = Math.max(known.get(key)?.entry.stamp ?? 0, before?.stamp ?? 0);
    this.#drop(key);
    this.#wanted.set(key, { ...want, stamp: Math.max(Math.floor(clock.systemTime()), last + 1), digest: undefined });
    if (want.push !== null) this.#puts += 1;
    this.#due(key);
  }

  #due(key: string): void {
    this.#pending.add(key);
    this.#options.pending();
  }

  /** Wants nothing more under the key. An unfinished removal must be decided again. */
  #drop(key: string): void {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) return;
    this.#wanted.delete(key);
    this.#repairs.forget(key);
    if (wanted.push !== null) this.#puts -= 1;
    wanted.ended?.(false);
  }

  #settled(wanted: Wanted, digest: string | null): void {
    wanted.digest = digest;
    wanted.ended?.(true);
  }

  async #write(store: EntryStore, key: string): Promise<void> {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) return;
    const content = wanted.push === null ? null : contentOf(wanted.push, store.maxValueBytes);
    for (let race = 0; race < maxRaces; race += 1) {
      if (await this.#writeOnce(store, key, wanted, content)) return;
    }
    this.#options.troubled(libraryError("unavailable", `Others kept changing ${key} of the bucket`));
    this.#repairs.ask(key);
  }

  /** @returns false if another gateway changed the key at the same time */
  async #writeOnce(store: EntryStore, key: string, wanted: Wanted, content: PushContent | null): Promise<boolean> {
    const { signer, troubled } = this.#options;
    const { value, revision } = await store.read(key);
    const verified = value === null ? null : signer.verify(key, value);
    const current = typeof verified === "string" ? null : verified;
    const digest = content?.digest ?? null;
    const isStill = current?.digest === digest && (wanted.renews === undefined || !isSame(current, wanted.renews));
    if (isStill || (content === null && value === null)) {
      wanted.stamp = Math.max(wanted.stamp, current?.stamp ?? 0);
      this.#settled(wanted, digest);
      return true;
    }
    const { removes } = wanted;
    const isOther = content === null && current !== null && (removes === undefined || !isSame(current, removes));
    const entry = content === null ? { stamp: wanted.stamp, digest, parts: [] } : entryOf(content, wanted.stamp);
    if (isOther || (current !== null && isNewer(current, entry))) {
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
    // The parts first, so that readers of the entry find them.
    for (const [place, part] of (content?.parts ?? []).entries()) await store.write(partKey(key, entry, place), part);
    if (!(await store.replace(key, signed, revision))) return false;
    this.#settled(wanted, digest);
    await this.#removeOlderParts(store, key, entry);
    return true;
  }

  /** Removes the parts of earlier entries, including unfinished ones. Later ones belong to another gateway. */
  async #removeOlderParts(store: EntryStore, key: string, { stamp }: SharedEntry): Promise<void> {
    const contents = new Set<string>();
    for (const part of await store.keys(partsPrefix(key))) {
      if ((stampOfPart(part) ?? stamp) < stamp) contents.add(part.slice(0, part.lastIndexOf(".")));
    }
    for (const content of contents) await store.forget(`${content}.>`);
  }
}
