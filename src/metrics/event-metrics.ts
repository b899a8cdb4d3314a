import type { Histogram } from "prom-client";
import type { TelemetryMessage } from "../telemetry/telemetry.ts";
import type { FunctionLabel, FunctionLabels } from "./function-labels.ts";
import type { MetricFamily } from "./prometheus.ts";

/** The events that are counted. */
export const countedEvents = [
  "executor.request.stop",
  "executor.retry",
  "worker_pool.task.rejected",
  "worker_pool.thread.exit",
  "worker_pool.circuit_breaker.open",
  "reload.stop",
  "reload.exception",
  "rate_limiter.check",
  "rate_limiter.exceeded",
  "connection.open",
  "connection.refuse",
  "stream.stop",
  "supervisor.child.restart",
  "cluster.lost",
  "node.down",
  "push.send",
  "push.refuse",
  "config.push",
  "config.pull.stop",
  "loop.held",
] as const;

/** One of {@link countedEvents}. */
export type CountedEvent = TelemetryMessage<(typeof countedEvents)[number]>;

type Timer = Histogram.Internal<"service" | "type" | "outcome">;

/**
 * Counts events as they happen. Every label is that of a function, from {@link FunctionLabels}, or one of a closed
 * list: pools, error codes, HTTP statuses, supervisors.
 */
export class EventMetrics {
  readonly #requests;
  readonly #retries;
  readonly #rejected;
  readonly #threadExits;
  readonly #circuitsOpened;
  readonly #reloads;
  readonly #checks;
  readonly #exceeded;
  readonly #connectionsOpened;
  readonly #connectionsRefused;
  readonly #streamsEnded;
  readonly #streamChunks;
  readonly #restarts;
  readonly #clusterLosses;
  readonly #nodesLost;
  readonly #nodeCallsLost;
  readonly #sent;
  readonly #deliveries;
  readonly #pushes;
  readonly #pulls;
  readonly #loopHeld;
  /** Looking one up by its labels costs more than observing. */
  readonly #timers = new Map<FunctionLabel, Map<string, Timer>>();

  constructor(family: MetricFamily, buckets: readonly number[]) {
    const ofFunction = ["service", "type"] as const;
    this.#requests = family.histogram(
      "request_duration_seconds",
      "From a request's frame to its last Response; outcome is ok or the error code",
      [...ofFunction, "outcome"],
      buckets,
    );
    this.#retries = family.counter("request_retries_total", "Attempts after the first", ofFunction);
    this.#rejected = family.counter("worker_pool_rejected_total", "Calls that a pool did not take", ["pool", "reason"]);
    this.#threadExits = family.counter("worker_pool_thread_exits_total", "Threads that were lost", ["pool"]);
    this.#circuitsOpened = family.counter("circuit_breaker_opened_total", "How often circuits opened", [
      "pool",
      ...ofFunction,
    ]);
    this.#reloads = family.counter("reloads_total", "Reloads of services", ["outcome"]);
    this.#checks = family.counter("rate_limiter_checks_total", "Requests that limits were checked for", ["outcome"]);
    this.#exceeded = family.counter("rate_limiter_exceeded_total", "Requests that a limit refused", ofFunction);
    this.#connectionsOpened = family.counter("connections_opened_total", "Clients that connected");
    this.#connectionsRefused = family.counter("connections_refused_total", "Clients that were refused", ["status"]);
    this.#streamsEnded = family.counter("streams_ended_total", "Streams that ended", [...ofFunction, "outcome"]);
    this.#streamChunks = family.counter("stream_chunks_total", "Chunks of the streams that ended", ofFunction);
    this.#restarts = family.counter("supervisor_restarts_total", "Actors that were started again", ["supervisor"]);
    this.#clusterLosses = family.counter(
      "cluster_losses_total",
      "How often the gateway was cut off from its nodes and the other gateways",
    );
    this.#nodesLost = family.counter("node_downs_total", "Service nodes that went or were lost");
    this.#nodeCallsLost = family.counter("node_calls_lost_total", "Calls that such nodes had");
    this.#sent = family.counter("pushes_total", "Pushes and broadcasts of the host", ["kind", "outcome"]);
    this.#deliveries = family.counter("push_deliveries_total", "Messages to clients that they became", ["kind"]);
    this.#pushes = family.counter("config_pushes_total", "Pushes of functions by service nodes", ["outcome"]);
    this.#pulls = family.counter("config_pulls_total", "Pulls of functions from service nodes", ["outcome"]);
    this.#loopHeld = family.counter(
      "loop_held_seconds_total",
      "How long the host's code held the gateway's event loop, 50 ms or more at a time",
      ["holder"],
    );
  }

  /** Counts an event of the gateway. */
  count(message: CountedEvent, functions: FunctionLabels): void {
    switch (message.event) {
      case "executor.request.stop": {
        const { service, request_type, error_code } = message.metadata;
        const timer = this.#timerOf(functions.of(service, request_type), error_code ?? "ok");
        timer.observe(message.measurements.duration_us / 1e6);
        break;
      }
      case "executor.retry":
        this.#retries.inc(labelOf(message, functions));
        break;
      case "worker_pool.task.rejected": {
        const { pool, reason } = message.metadata;
        this.#rejected.inc({ pool, reason });
        break;
      }
      case "worker_pool.thread.exit":
        this.#threadExits.inc({ pool: message.metadata.pool });
        break;
      case "worker_pool.circuit_breaker.open":
        this.#circuitsOpened.inc({ pool: message.metadata.pool, ...labelOf(message, functions) });
        break;
      case "reload.stop":
        this.#reloads.inc({ outcome: "ok" });
        break;
      case "reload.exception":
        this.#reloads.inc({ outcome: "failed" });
        break;
      case "rate_limiter.check": {
        const { allowed, error } = message.metadata;
        this.#checks.inc({ outcome: error !== null ? "failed" : allowed ? "allowed" : "refused" });
        break;
      }
      case "rate_limiter.exceeded":
        this.#exceeded.inc(labelOf(message, functions));
        break;
      case "connection.open":
        this.#connectionsOpened.inc();
        break;
      case "connection.refuse":
        this.#connectionsRefused.inc({ status: `${message.metadata.status}` });
        break;
      case "stream.stop": {
        const label = labelOf(message, functions);
        this.#streamsEnded.inc({ ...label, outcome: message.metadata.error_code ?? "ok" });
        this.#streamChunks.inc(label, message.measurements.chunks);
        break;
      }
      case "supervisor.child.restart":
        this.#restarts.inc({ supervisor: message.metadata.supervisor });
        break;
      case "push.send":
        this.#sent.inc({ kind: message.metadata.kind, outcome: "sent" });
        this.#deliveries.inc({ kind: message.metadata.kind }, message.measurements.receivers);
        break;
      case "push.refuse":
        this.#sent.inc({ kind: message.metadata.kind, outcome: "refused" });
        break;
      case "cluster.lost":
        this.#clusterLosses.inc();
        break;
      case "node.down":
        this.#nodesLost.inc();
        this.#nodeCallsLost.inc(message.measurements.calls_lost);
        break;
      case "config.push":
        this.#pushes.inc({ outcome: message.metadata.outcome });
        break;
      case "config.pull.stop":
        this.#pulls.inc({ outcome: message.metadata.outcome });
        break;
      case "loop.held":
        this.#loopHeld.inc({ holder: message.metadata.holder }, message.measurements.duration_us / 1e6);
    }
  }

  #timerOf(label: FunctionLabel, outcome: string): Timer {
    let outcomes = this.#timers.get(label);
    if (outcomes === undefined) {
      outcomes = new Map();
      this.#timers.set(label, outcomes);
    }
    let timer = outcomes.get(outcome);
    if (timer === undefined) {
      timer = this.#requests.labels({ ...label, outcome });
      outcomes.set(outcome, timer);
    }
    return timer;
  }
}

function labelOf(
  { metadata: { service, request_type } }: { metadata: { service: string | null; request_type: string | null } },
  functions: FunctionLabels,
): { service: string; type: string } {
  return { ...functions.of(service, request_type) };
}
