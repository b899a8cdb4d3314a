/** Limits on calls with an `idempotency_key`. */
export interface IdempotencyOptions {
  /** How long such a call goes on when no client waits for it any more, milliseconds. @default 30_000 */
  readonly orphanMs?: number;
  /** How long its final Response is kept for repeated requests, milliseconds. @default 300_000 */
  readonly keepMs?: number;
  /** At most this many keys are kept; the one whose call ended first is dropped. @default 100_000 */
  readonly maxEntries?: number;
  /** The memory that the kept Responses may take, bytes; the one whose call ended first is dropped. @default 67_108_864 */
  readonly maxBytes?: number;
}

/** The defaults of {@link IdempotencyOptions}. */
export const idempotencyDefaults: Required<IdempotencyOptions> = {
  orphanMs: 30_000,
  keepMs: 300_000,
  maxEntries: 100_000,
  maxBytes: 64 * 1024 * 1024,
};
