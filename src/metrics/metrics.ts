import type { Registry } from "prom-client";
import { libraryError } from "../core/errors.ts";
import { faultsError, shown, unknownKeysFault } from "../core/faults.ts";
import { reading } from "../core/unreadable.ts";
import { telemetry } from "../telemetry/telemetry-api.ts";
import { type CountedEvent, countedEvents, EventMetrics } from "./event-metrics.ts";
import { FunctionLabels } from "./function-labels.ts";
import { defineGauges } from "./gauges.ts";
import type { Metrics, MetricsSource } from "./metrics-option.ts";
import { MetricFamily } from "./prometheus.ts";

export type { GatewayReadings, Metrics, MetricsSource } from "./metrics-option.ts";

/** The options of {@link metrics}. */
export interface MetricsOptions {
  /**
   * Registry for the metrics, for example the program's own: `/metrics` shows everything in it. @default a registry of
   * their own
   */
  readonly registry?: Registry;
  /** Prefix of all names. @default "gen_api_" */
  readonly prefix?: string;
  /** Upper bounds of the request histogram, seconds. @default 0.5 ms to 10 s */
  readonly buckets?: readonly number[];
  /** The most functions with labels of their own; all others share the label "other". @default 1_000 */
  readonly maxFunctions?: number;
}

const defaultBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Prometheus metrics: the value of a gateway's option `metrics`. Together with the option `admin` the gateway serves
 * them under `/metrics`. Gauges are read at each scrape; counters count telemetry events.
 *
 * The metrics stay in the registry while the gateway runs; after it has stopped, others may use their names.
 *
 * Clients cannot make the registry grow: services and types that are not registered count as "other".
 *
 * @throws GenApiError `invalid_option` if the package `prom-client` is not installed, or an option is wrong
 */
export function metrics(options: MetricsOptions = {}): Metrics {
  const { registry, prefix = "gen_api_", buckets = defaultBuckets, maxFunctions = 1_000 } = checked(options);
  const family = new MetricFamily(registry, prefix);
  const counters = new EventMetrics(family, buckets);
  let source: MetricsSource | null = null;
  defineGauges(family, () => source);
  const functions = new FunctionLabels((service, type) => source?.hasFunction(service, type) ?? false, maxFunctions);

  return {
    contentType: family.registry.contentType,
    text: () => family.registry.metrics(),
    attach(gateway) {
      if (source !== null) {
        const problem = `these metrics measure the gateway ${source.name}; each gateway needs metrics() of its own`;
        throw libraryError("invalid_option", problem);
      }
      const unregister = family.register();
      source = gateway;
      const detach = telemetry.attachMany(countedEvents, (message) => {
        if (programOf(message) === gateway.name) counters.count(message, functions);
      });
      return () => {
        detach();
        unregister();
        source = null;
      };
    },
  };
}

/** The faults of the options. */
function faultsIn(options: MetricsOptions): string[] {
  const known = ["registry", "prefix", "buckets", "maxFunctions"];
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  const { registry, prefix, buckets, maxFunctions } = options;
  const isRegistry = registry === undefined || typeof Object(registry).registerMetric === "function";
  const isPrefix = prefix === undefined || (typeof prefix === "string" && /^[a-z_:][\w:]*$/i.test(prefix));
  const areBuckets = buckets === undefined || areAscending(buckets);
  const isCount = maxFunctions === undefined || (Number.isSafeInteger(maxFunctions) && maxFunctions >= 0);
  return [
    ...(unknown.length === 0 ? [] : [unknownKeysFault(unknown, known)]),
    ...(isRegistry ? [] : [`registry must be a Registry of prom-client, got ${shown(registry)}`]),
    ...(isPrefix ? [] : [`prefix must be what a metric's name may begin with, got ${shown(prefix)}`]),
    ...(areBuckets ? [] : [`buckets must be a list of ascending numbers, got ${shown(buckets)}`]),
    ...(isCount ? [] : [`maxFunctions must be a whole number of at least 0, got ${shown(maxFunctions)}`]),
  ];
}

function areAscending(bounds: unknown): boolean {
  if (!Array.isArray(bounds) || bounds.length === 0) return false;
  return bounds.every((bound, at) => Number.isFinite(bound) && (at === 0 || bound > bounds[at - 1]));
}

function checked(options: MetricsOptions): MetricsOptions {
  const what = "Invalid options of metrics";
  return reading("invalid_option", what, options, () => {
    const faults = faultsIn(options);
    if (faults.length > 0) throw faultsError("invalid_option", what, faults);
    return options;
  });
}

/** Events belong to the process, which may run several gateways and service nodes. */
function programOf({ metadata }: CountedEvent): string {
  return "gateway" in metadata ? metadata.gateway : metadata.program;
}
