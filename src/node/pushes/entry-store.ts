/** A value as read; null if the key was deleted, or never existed. */
export interface StoredValue {
  readonly value: Uint8Array | null;
  /** The number that {@link EntryStore.replace} compares; 0 if the key never existed. */
  readonly revision: number;
}

/** A value as a watch reports it. */
export interface WatchedValue extends StoredValue {
  readonly key: string;
  /** Whether it is the last of the existing values; changes follow. */
  readonly isLast: boolean;
}

/** A stream of values; ends when it is stopped, or when the server ended it. */
export interface Watch {
  readonly values: AsyncIterable<WatchedValue>;
  /** Ends it, also on the server. */
  stop(): void;
}

/**
 * A store in which gateways keep values for each other: keys with dots, each with its last value. Every method rejects
 * when the store fails.
 */
export interface EntryStore {
  /** The most bytes of one value. */
  readonly maxValueBytes: number;
  /** The current value of a key. */
  read(key: string): Promise<StoredValue>;
  /** Writes unconditionally. */
  write(key: string, value: Uint8Array): Promise<void>;
  /**
   * Writes unless the key has changed since `revision`.
   * @returns whether it was written
   */
  replace(key: string, value: Uint8Array, revision: number): Promise<boolean>;
  /** The keys that begin with a prefix, which ends with a dot. */
  keys(prefix: string): Promise<readonly string[]>;
  /**
   * Removes a key without a trace, unless it has changed since `revision`; a key that ends in `>` means all keys with
   * that prefix.
   */
  forget(key: string, revision?: number): Promise<void>;
  /** Rejects if the store is gone, has been made anew since it was opened, or fails. Watches tell nothing of that. */
  check(): Promise<void>;
  /** The last value of every key with a prefix, then every change. */
  watch(prefix: string): Promise<Watch>;
}
