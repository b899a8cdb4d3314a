import type { SharedEntry } from "./shared-entry.ts";

/** An entry of the bucket that was signed by a gateway. */
interface KnownEntry {
  readonly entry: SharedEntry;
  /** The bucket's number of it. */
  readonly revision: number;
  /** Whether the receiver has heard of it. */
  isTold: boolean;
}

/** How many services and nodes a bucket can hold. */
export const maxEntries = 10_000;

/** The newest entry of each key that this gateway has seen: what is older than that is not believed any more. */
export type KnownEntries = Map<string, KnownEntry>;
