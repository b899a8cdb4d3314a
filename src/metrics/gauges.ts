import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { other } from "./function-labels.ts";
import type { MetricsSource } from "./metrics-option.ts";
import type { MetricFamily } from "./prometheus.ts";

// Nodes with series of their own; what is beyond is added up.
const maxNodes = 1_000;

// The histogram's own timer: delays below are not seen.
const resolutionMs = 20;

/** Defines what is read when it is scraped. @param source null while no gateway is measured: there is nothing then */
export function defineGauges(family: MetricFamily, source: () => MetricsSource | null, lag: EventLoopLag): void {
  const statistics = () => source()?.statistics();

  /** A gauge without labels. */
  const value = (name: string, help: string, read: (statistics: ReturnType<MetricsSource["statistics"]>) => number) =>
    family.gauge(name, help, [], (set) => {
      const now = statistics();
      if (now !== undefined) set(read(now));
    });

  value("requests_in_flight", "Requests and streams that wait for something", ({ requests }) => requests.inFlight);
  value("connections", "Open connections of clients", ({ connections }) => connections.open);
  value("streams", "Streams that run", ({ streams }) => streams.open);
  value("functions", "Registered functions, versions counted one by one", ({ functions }) => functions);

  family.gauge("rate_limiter_keys", "Values that the rate limiter counts requests of", ["kind"], (set) => {
    const now = statistics();
    if (now === undefined) return;
    set(now.rateLimiter.userAndAddressKeys, { kind: "user_and_address" });
    set(now.rateLimiter.deviceAndArgumentKeys, { kind: "device_and_argument" });
  });
  family.gauge("worker_pool_queue_depth", "Calls that wait for a place on a thread", ["pool"], (set) => {
    for (const { name, queued } of statistics()?.pools ?? []) set(queued, { pool: name });
  });
  family.gauge("worker_pool_calls_in_flight", "Calls that threads have", ["pool"], (set) => {
    for (const { name, inFlight } of statistics()?.pools ?? []) set(inFlight, { pool: name });
  });
  family.gauge("worker_pool_threads", "Threads that run calls", ["pool"], (set) => {
    for (const { name, readyThreads } of statistics()?.pools ?? []) set(readyThreads, { pool: name });
  });
  family.gauge(
    "circuit_breaker_open",
    "1 for each function whose circuit is open or half open; there is nothing for the others",
    ["pool", "module", "function"],
    (set) => {
      for (const { name: pool, openCircuits } of statistics()?.pools ?? []) {
        for (const { module, function: name } of openCircuits) set(1, { pool, module, function: name });
      }
    },
  );

  family.gauge("nodes_up", "Service nodes that are connected and take calls", [], (set) => {
    const nodes = source()?.nodes();
    if (nodes !== undefined) set(nodes.filter(({ state }) => state === "up").length);
  });
  family.gauge("node_calls_in_flight", "Calls and streams that a connected service node has", ["node"], (set) => {
    const connected = (source()?.nodes() ?? []).filter(({ state }) => state !== "down");
    for (const { node, inFlight } of connected.slice(0, maxNodes)) set(inFlight, { node });
    const rest = connected.slice(maxNodes);
    if (rest.length > 0) {
      set(
        rest.reduce((sum, { inFlight }) => sum + inFlight, 0),
        { node: other },
      );
    }
  });

  family.gauge(
    "event_loop_lag_seconds",
    "How late the gateway's event loop came to what was due, since the last scrape; quantile 1 is the longest",
    ["quantile"],
    (set) => {
      for (const [quantile, seconds] of lag.read()) set(seconds, { quantile });
    },
  );
}

/** Measures how late the event loop is, while it runs. */
export class EventLoopLag {
  #delays: IntervalHistogram | null = null;

  start(): void {
    this.#delays = monitorEventLoopDelay({ resolution: resolutionMs });
    this.#delays.enable();
  }

  stop(): void {
    this.#delays?.disable();
    this.#delays = null;
  }

  /** Quantiles since it was last read, in seconds. */
  read(): [quantile: string, seconds: number][] {
    const delays = this.#delays;
    if (delays === null) return [];
    const quantiles = ["0.5", "0.9", "0.99"].map((quantile): [string, number] => [
      quantile,
      lateness(delays.percentile(Number(quantile) * 100)),
    ]);
    const longest: [string, number] = ["1", delays.count === 0 ? 0 : lateness(delays.max)];
    delays.reset();
    return [...quantiles, longest];
  }
}

/** What a measured interval was too long. */
function lateness(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - resolutionMs / 1e3);
}
