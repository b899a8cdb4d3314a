import type { Registry } from "prom-client";
import { libraryError } from "../core/errors.ts";
import { telemetry } from "../telemetry/telemetry-api.ts";
import { type CountedEvent, countedEvents, EventMetrics } from "./event-metrics.ts";
import { FunctionLabels } from "./function-labels.ts";
import { defineGauges } from "./gauges.ts";
import type { Metrics, MetricsSource } from "./metrics-option.ts";
import { MetricFamily } from "./prometheus.ts";

export type { GatewayReadings, Metrics, MetricsSource } from "./metrics-option.ts";

/** How a gateway is measured. */
export interface MetricsOptions {
  /** Where the metrics go, beside the program's own: `/metrics` shows both. @default a registry of their own */
  readonly registry?: Registry;
  /** What all names begin with. @default "gen_api_" */
  readonly prefix?: string;
  /** Upper bounds of the request histogram, seconds. @default 0.5 ms to 10 s */
  readonly buckets?: readonly number[];
  /** Functions that get labels of their own; all others are "other" together. @default 1_000 */
  readonly maxFunctions?: number;
}

const defaultBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Prometheus metrics, as the option `metrics` of a gateway, which with the option `admin` answers `/metrics`. Gauges are
 * read when they are scraped, counters count the telemetry's events.
 *
 * The registry does not grow with what clients send: services and types that are not registered are "other".
 *
 * @throws GenApiError `invalid_option` where the package `prom-client` is not installed
 */
export function metrics(options: MetricsOptions = {}): Metrics {
  const { registry, prefix = "gen_api_", buckets = defaultBuckets, maxFunctions = 1_000 } = options;
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
      source = gateway;
      const detach = telemetry.attachMany(countedEvents, (message) => {
        if (programOf(message) === gateway.name) counters.count(message, functions);
      });
      return () => {
        detach();
        source = null;
      };
    },
  };
}

/** Events are the process's, of whichever gateways and service nodes it runs. */
function programOf({ metadata }: CountedEvent): string {
  return "gateway" in metadata ? metadata.gateway : metadata.program;
}
