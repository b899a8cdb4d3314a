import { readFileSync } from "node:fs";
import { type GatewayReadings, metrics } from "gen-api/metrics";
import { Registry } from "prom-client";
import { expect, test } from "vitest";

const page = readFileSync(new URL("../../docs/metrics-and-tracing.md", import.meta.url), "utf8");

test("docs/metrics-and-tracing.md lists every metric, with its type and labels, and no other", () => {
  const registry = new Registry();
  // The registry has them while a gateway is measured; nothing is read of it here.
  const unread = {
    hasFunction: () => false,
    statistics: () => ({}) as GatewayReadings,
    isCutOff: () => false,
    nodes: () => [],
  };
  const detach = metrics({ registry }).attach({ name: "page@1", ...unread });
  const defined = registry.getMetricsAsArray().map((metric) => {
    const { name, labelNames } = metric as unknown as { name: string; labelNames: string[] };
    return { name, type: metric.constructor.name.toLowerCase(), labels: labelNames.filter((label) => label !== "le") };
  });
  detach();
  const rows = page.matchAll(/^\| `(gen_api_\w+)` \| (\w+) \| (.*?) \|/gm);
  const documented = Array.from(rows, ([, name, type, labels = ""]) => ({
    name,
    type,
    labels: Array.from(labels.matchAll(/`(\w+)`/g), ([, label]) => label),
  }));
  const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
    String(a.name).localeCompare(String(b.name));
  expect(documented.sort(byName)).toEqual(defined.sort(byName));
});
