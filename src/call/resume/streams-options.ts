/** Limits on streams that outlive their socket. */
export interface StreamsOptions {
  /**
   * How long a stream with `resume` waits for its client after its socket has gone, milliseconds; 0: not at all.
   * @default 30_000
   */
  readonly resumeMs?: number;
  /**
   * At most this many streams wait for their clients, or for the acknowledgement of their end. If more would, one is
   * given up of the user, or the network of anonymous clients, that has most. @default 1_000
   */
  readonly maxDetached?: number;
  /**
   * How much memory the unacknowledged Responses of streams with `resume`, and the arguments of those whose client is
   * gone, may take together, bytes. No user, and no network of anonymous clients, gets more than is free.
   * @default 67_108_864
   */
  readonly maxKeptBytes?: number;
}

/** The defaults of {@link StreamsOptions}. */
export const streamsDefaults: Required<StreamsOptions> = {
  resumeMs: 30_000,
  maxDetached: 1_000,
  maxKeptBytes: 64 * 1024 * 1024,
};
