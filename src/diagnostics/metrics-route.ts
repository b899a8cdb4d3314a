import type { AdminRoute } from "./admin-route.ts";

/** What `/metrics` is answered with. */
interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Where Prometheus scrapes. */
export function metricsRoute(metrics: MetricsText): AdminRoute {
  return {
    method: "GET",
    path: "/metrics",
    answer: async () => ({ contentType: metrics.contentType, body: await metrics.text() }),
  };
}
