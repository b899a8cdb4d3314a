import { other } from "./function-labels.ts";
import type { MetricsSource } from "./metrics-option.ts";
import type { MetricFamily } from "./prometheus.ts";

// Nodes with series of their own; all others are added up.
const maxNodes = 1_000;

/**
 * Defines the gauges, which are read at each scrape.
 * @param source null while no gateway is measured: then there are no values
 */
export function defineGauges(family: MetricFamily, source: () => MetricsSource | null): void {
  const statistics = () => source()?.statistics();

  /** A gauge without labels. */
  const value = (name: string, help: string, read: (statistics: ReturnType<MetricsSource["statistics"]>) => number) =>
    family.gauge(name, help, [], (set) => {
      const now = statistics();
      if (now !== undefined) set(read(now));
    });

  value(
    "requests_in_flight",
    "Requests and streams that are not answered yet; a request that is answered in the turn it came in never counts",
    ({ requests }) => requests.inFlight,
  );
  value("connections", "Open connections of clients", ({ connections }) => connections.open);
  value("streams", "Streams that run", ({ streams }) => streams.open);
  value(
    "streams_detached",
    "Streams that run and wait for their clients to come back",
    ({ streams }) => streams.detached,
  );
  value("pushes_waiting_bytes", "Memory of pushes that are not sent yet", ({ pushes }) => pushes.waiting.bytes);
  value(
    "streams_kept_bytes",
    "Memory of the chunks that clients may ask for again",
    ({ streams }) => streams.keptBytes,
  );
  value(
    "idempotency_kept_bytes",
    "Memory of the Responses that are kept for repeated requests",
    ({ idempotency }) => idempotency.keptBytes,
  );
  value("functions", "Registered functions, versions counted one by one", ({ functions }) => functions);

  family.gauge("idempotency_keys", "Idempotency keys of calls that run, or have ended", ["state"], (set) => {
    const now = statistics();
    if (now === undefined) return;
    set(now.idempotency.running, { state: "running" });
    set(now.idempotency.kept, { state: "kept" });
  });
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
  family.gauge("worker_pool_nested_queue_depth", "Calls by functions that wait for a thread", ["pool"], (set) => {
    for (const { name, nestedQueued } of statistics()?.pools ?? []) set(nestedQueued, { pool: name });
  });
  family.gauge("worker_pool_nested_calls_in_flight", "Calls by functions that threads have", ["pool"], (set) => {
    for (const { name, nestedInFlight } of statistics()?.pools ?? []) set(nestedInFlight, { pool: name });
  });
  family.gauge("worker_pool_threads", "Threads that run calls", ["pool"], (set) => {
    for (const { name, readyThreads } of statistics()?.pools ?? []) set(readyThreads, { pool: name });
  });
  family.gauge(
    "worker_pool_old_threads",
    "Threads of code that was reloaded since, on which calls still run",
    ["pool"],
    (set) => {
      for (const { name, oldThreads } of statistics()?.pools ?? []) set(oldThreads, { pool: name });
    },
  );
  family.gauge(
    "circuit_breaker_open",
    "1 for each function whose circuit is open or half open; the others have no series",
    ["pool", "module", "function"],
    (set) => {
      for (const { name: pool, openCircuits } of statistics()?.pools ?? []) {
        for (const { moduleName: module, function: name } of openCircuits) set(1, { pool, module, function: name });
      }
    },
  );

  family.gauge(
    "cluster_cut_off",
    "1 while the gateway cannot reach its nodes and the other gateways, else 0",
    [],
    (set) => {
      const now = source();
      if (now !== null) set(now.isCutOff() ? 1 : 0);
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
    "How late the gateway's event loop came to what was due in the last 15 to 30 seconds; quantile 1 is the longest",
    ["quantile"],
    (set) => {
      const delayMs = statistics()?.eventLoop.delayMs;
      if (delayMs === undefined) return;
      const { p50, p90, p99, max } = delayMs;
      for (const [quantile, ms] of Object.entries({ "0.5": p50, "0.9": p90, "0.99": p99, "1": max })) {
        set(ms / 1_000, { quantile });
      }
    },
  );
}
