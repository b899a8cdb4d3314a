/** The current values of a gateway that its metrics read. */
export interface GatewayReadings {
  /** Requests in progress. */
  readonly requests: { readonly inFlight: number };
  /** Pushes and broadcasts that are not sent yet. */
  readonly pushes: { readonly waiting: { readonly bytes: number } };
  /** Running streams, those of them that wait for their clients to come back, and what is kept for those. */
  readonly streams: { readonly open: number; readonly detached: number; readonly keptBytes: number };
  /** Idempotency keys of calls that run, and of those that have ended; and what is kept of these. */
  readonly idempotency: { readonly running: number; readonly kept: number; readonly keptBytes: number };
  /** Open client sockets. */
  readonly connections: { readonly open: number };
  /** Registered functions; each version counts. */
  readonly functions: number;
  /** Values with a window, counted once for each of their limits. */
  readonly rateLimiter: { readonly userAndAddressKeys: number; readonly deviceAndArgumentKeys: number };
  /** The worker pools and their current load. */
  readonly pools: readonly {
    readonly name: string;
    readonly inFlight: number;
    readonly queued: number;
    readonly nestedInFlight: number;
    readonly nestedQueued: number;
    readonly readyThreads: number;
    readonly oldThreads: number;
    readonly openCircuits: readonly { readonly moduleName: string; readonly function: string }[];
  }[];
  /** Recent delay of the event loop, milliseconds. */
  readonly eventLoop: {
    readonly delayMs: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
  };
}

/** The gateway that is measured. */
export interface MetricsSource {
  /** The gateway's name, which its events carry. */
  readonly name: string;
  /** Whether a function is registered: only registered ones get labels of their own. */
  hasFunction(service: string, requestType: string): boolean;
  /** Read at each scrape. */
  statistics(): GatewayReadings;
  /** Whether it cannot reach its nodes and the other gateways. */
  isCutOff(): boolean;
  /** The known service nodes. */
  nodes(): readonly { readonly node: string; readonly state: "up" | "leaving" | "down"; readonly inFlight: number }[];
}

/** Prometheus metrics of a gateway: the value of its option `metrics`. */
export interface Metrics {
  /** The `Content-Type` of {@link text}. */
  readonly contentType: string;
  /** Everything in the registry, in the text format of Prometheus: the answer to `/metrics` on the admin listener. */
  text(): Promise<string>;
  /**
   * Measures a gateway. The gateway calls it itself, because of the option `metrics`.
   * @returns a function that stops measuring
   * @throws GenApiError `invalid_option` while these metrics measure another gateway
   */
  attach(source: MetricsSource): () => void;
}
