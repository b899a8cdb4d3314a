import type { Registry } from "prom-client";
import { requireOptional } from "../core/optional-package.ts";

/** The optional package `prom-client`. @throws GenApiError `invalid_option` where it is not installed */
function prometheus(): typeof import("prom-client") {
  return requireOptional("prom-client", "gen-api/metrics");
}

/** Where metrics are made: in one registry, under names of one prefix. */
export class MetricFamily {
  readonly #client = prometheus();
  readonly registry: Registry;
  readonly #prefix: string;

  constructor(registry: Registry | undefined, prefix: string) {
    this.registry = registry ?? new this.#client.Registry();
    this.#prefix = prefix;
  }

  counter<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) {
    return new this.#client.Counter<Label>({ ...this.#named(name, help), labelNames });
  }

  /** @param collect sets the gauge's values, which were cleared, when it is scraped */
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
        // Without labels a reset leaves a zero, of what may be no gateway's at all.
        if (labelNames.length === 0) this.remove();
        collect((value, labels) => (labels === undefined ? this.set(value) : this.set(labels, value)));
      },
    });
    if (labelNames.length === 0) gauge.remove();
  }

  histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    buckets: readonly number[],
  ) {
    return new this.#client.Histogram<Label>({ ...this.#named(name, help), labelNames, buckets: [...buckets] });
  }

  #named(name: string, help: string) {
    return { name: `${this.#prefix}${name}`, help, registers: [this.registry] };
  }
}
