import { validateHeaderValue } from "node:http";
import { describe, libraryError } from "../core/errors.ts";
import { hearPromises } from "../core/foreign/hear-promises.ts";
import type { AdminRoute } from "./admin-route.ts";

/** The answer to `/metrics`. */
interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** The endpoint that Prometheus scrapes. */
export function metricsRoute(metrics: MetricsText): AdminRoute {
  return {
    method: "GET",
    path: "/metrics",
    async answer() {
      const contentType = headerTextOf(metrics.contentType);
      const body: unknown = await metrics.text();
      if (typeof body === "string") return { contentType, body };
      hearPromises(body);
      throw libraryError("internal", `The registry of the metrics gave no text, got ${describe(body)}`);
    },
  };
}

/** A registry is the host's own object: its content type may be anything. */
function headerTextOf(contentType: unknown): string {
  if (typeof contentType === "string") {
    try {
      validateHeaderValue("content-type", contentType);
      return contentType;
    } catch (cause) {
      const problem = `no HTTP header may hold the content type ${JSON.stringify(contentType)}`;
      throw libraryError("internal", `The registry of the metrics cannot be shown: ${problem}`, { cause });
    }
  }
  throw libraryError("internal", `The registry of the metrics gave no content type, got ${describe(contentType)}`);
}
