import type { Metric, Registry } from "prom-client";
import { isGenApiError, libraryError, messageOf, toError } from "../core/errors.ts";
import { hearPromises } from "../core/foreign/hear-promises.ts";
import { requireOptional } from "../core/optional-package.ts";

/**
 * The optional package `prom-client`.
 * @throws GenApiError `invalid_option` if it is not installed
 */
function prometheus(): typeof import("prom-client") {
  return requireOptional("prom-client", "gen-api/metrics");
}

/**
 * Metrics with a common name prefix, which are in a registry while they are {@link MetricFamily.register registered}.
 */
export class MetricFamily {
  readonly #client = prometheus();
  readonly registry: Registry;
  readonly #prefix: string;
  readonly #metrics: { readonly name: string; readonly metric: Metric }[] = [];

  constructor(registry: Registry | undefined, prefix: string) {
    this.registry = registry ?? new this.#client.Registry();
    this.#prefix = prefix;
  }

  /**
   * Adds all metrics to the registry.
   * @returns a function that removes them
   * @throws GenApiError `invalid_option` if it has another metric with one of the names; then it gets none
   */
  register(): () => void {
    try {
      this.#refuseTaken();
      for (const { metric } of this.#metrics) hearPromises(this.registry.registerMetric(metric));
    } catch (thrown) {
      hearPromises(thrown);
      this.#unregister();
      if (isGenApiError(thrown)) throw thrown;
      const cause = toError(thrown);
      throw libraryError("invalid_option", `metrics: the registry threw: ${messageOf(cause)}`, { cause });
    }
    return () => this.#unregister();
  }

  #refuseTaken(): void {
    const taken = this.#metrics.find(({ name }) => this.registry.getSingleMetric(name) !== undefined);
    if (taken !== undefined) {
      throw libraryError(
        "invalid_option",
        `metrics: the registry has a metric "${taken.name}" already, of another gateway or the program itself: give metrics() another prefix, or a registry of its own`,
      );
    }
  }

  /** Never throws: a gateway ends, or did not start, whatever the host's registry does. */
  #unregister(): void {
    for (const { name, metric } of this.#metrics) {
      try {
        // The program may have cleared its registry, and given the name to something else.
        if (this.registry.getSingleMetric(name) === metric) this.registry.removeSingleMetric(name);
      } catch (thrown) {
        hearPromises(thrown);
      }
    }
  }

  counter<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) {
    return this.#kept(new this.#client.Counter<Label>({ ...this.#named(name, help), labelNames }), name);
  }

  /** @param collect sets the gauge's values, which were cleared, at each scrape */
  gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    collect: (set: (value: number, labels?: Partial<Record<Label, string>>) => void) => void,
  ): void {
    const gauge = new this.#client.Gauge<Label>({
      ...this.#named(name, help),
      labelNames,
      collect() {
        this.reset();
        // Without labels a reset leaves a zero, perhaps for no gateway at all.
        if (labelNames.length === 0) this.remove();
        collect((value, labels) => (labels === undefined ? this.set(value) : this.set(labels, value)));
      },
    });
    if (labelNames.length === 0) gauge.remove();
    this.#kept(gauge, name);
  }

  histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    buckets: readonly number[],
  ) {
    const options = { ...this.#named(name, help), labelNames, buckets: [...buckets] };
    return this.#kept(new this.#client.Histogram<Label>(options), name);
  }

  #kept<Made>(metric: Made, name: string): Made {
    // Regardless of the names of its labels.
    this.#metrics.push({ name: `${this.#prefix}${name}`, metric: metric as Metric });
    return metric;
  }

  #named(name: string, help: string) {
    return { name: `${this.#prefix}${name}`, help, registers: [] };
  }
}
