import type { IncomingMessage, ServerResponse } from "node:http";
import { readTarget } from "../core/net/request-target.ts";
import { type Health, unreadyReasons } from "./health.ts";

/**
 * Answers a request if it is for one of the probes.
 * @returns false, and leaves the request alone, if it is not
 */
export type Probes = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Two endpoints for systems that start processes and send them clients, without a token.
 *
 * - `GET /healthz`: 200 while the process answers at all. Otherwise restart it.
 * - `GET /readyz`: 200 while clients should be sent here, otherwise 503 with the reasons: no thread pool runs, an
 *   expected service is missing, the gateway is stopping.
 */
export function createProbes(health: () => Health): Probes {
  return (request, response) => {
    const { path } = readTarget(request.url);
    if (path !== "/healthz" && path !== "/readyz") return false;
    if (request.method !== "GET" && request.method !== "HEAD") {
      answer(request, response, 405, { error: "only GET and HEAD" }, { allow: "GET, HEAD" });
      return true;
    }
    if (path === "/healthz") {
      answer(request, response, 200, { alive: true });
      return true;
    }
    const current = health();
    const { isReady } = current;
    answer(request, response, isReady ? 200 : 503, { ready: isReady, reasons: unreadyReasons(current) });
    return true;
  };
}

function answer(
  { method }: IncomingMessage,
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = `${JSON.stringify(value)}\n`;
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...headers,
  });
  response.end(method === "HEAD" ? "" : body);
}
