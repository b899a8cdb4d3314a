/** How fast a stopping gateway closes its sockets. Closing all of them together would bring all clients back together. */
export interface DrainOptions {
  /** At most this many sockets are closed together. @default 10_000 */
  readonly batchSize?: number;
  /** Milliseconds from one batch to the next; shorter if the batches would not fit into `drainMs`. @default 2_000 */
  readonly intervalMs?: number;
}

/** The defaults of {@link DrainOptions}: those of Phoenix's socket drainer. */
export const drainDefaults: Required<DrainOptions> = { batchSize: 10_000, intervalMs: 2_000 };
