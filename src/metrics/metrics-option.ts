/** What a gateway does at the moment, as its metrics read it. */
export interface GatewayReadings {
  /** Requests that wait for something now. */
  readonly requests: { readonly inFlight: number };
  /** Streams that run now. */
  readonly streams: { readonly open: number };
  /** Clients' sockets that are open now. */
  readonly connections: { readonly open: number };
  /** Registered functions, versions counted one by one. */
  readonly functions: number;
  /** Values with a window, once for each of their limits. */
  readonly rateLimiter: { readonly userAndAddressKeys: number; readonly deviceAndArgumentKeys: number };
  /** The worker pools, and what each of them does. */
  readonly pools: readonly {
    readonly name: string;
    readonly inFlight: number;
    readonly queued: number;
    readonly readyThreads: number;
    readonly openCircuits: readonly { readonly module: string; readonly function: string }[];
  }[];
  /** How late the event loop came to what was due of late, milliseconds. */
  readonly eventLoop: {
    readonly delayMs: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
  };
}

/** The gateway that metrics are of. */
export interface MetricsSource {
  /** Its name, which its events carry. */
  readonly name: string;
  /** Whether a function is registered: others get no labels of their own. */
  hasFunction(service: string, requestType: string): boolean;
  /** Read when it is asked, at each scrape. */
  statistics(): GatewayReadings;
  /** The service nodes that are known. */
  nodes(): readonly { readonly node: string; readonly state: "up" | "leaving" | "down"; readonly inFlight: number }[];
}

/** Prometheus metrics of a gateway: what its option `metrics` takes. */
export interface Metrics {
  /** The `Content-Type` of {@link text}. */
  readonly contentType: string;
  /** Everything in the registry, in the text format of Prometheus: what `/metrics` on the admin listener answers. */
  text(): Promise<string>;
  /**
   * Measures a gateway. For the gateway itself: it is the option that switches it on.
   * @returns how to stop that
   * @throws GenApiError `invalid_option` while they measure another gateway
   */
  attach(source: MetricsSource): () => void;
}
