import type { TreeNode } from "../actor/tree-node.ts";
import type { HostCalls, HostRequest } from "../call/host-calls.ts";
import { libraryError } from "../core/errors.ts";
import type { RateLimit } from "../policy/rate-limit.ts";
import type { RateLimitStatus } from "../policy/rate-limiter.ts";
import type { RateLimiterConfig } from "../policy/rate-limiter-options.ts";
import { callOf, inspectedRequestOf, maxCallMs } from "./admin-requests.ts";
import { type AdminRequest, type AdminRoute, json } from "./admin-route.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { responseLines } from "./response-lines.ts";

/** What the admin listener's own endpoints answer from. */
export interface AdminSources {
  readonly diagnostics: Diagnostics;
  tree(): TreeNode;
  rlStatus(userId: string): RateLimitStatus[];
  rlGlobal(): Promise<readonly RateLimit[]>;
  rlConfig(): RateLimiterConfig;
  /** Calls functions; null where that is not allowed. */
  readonly calls: Pick<HostCalls, "request" | "stream"> | null;
}

/** The admin listener's endpoints: what a Runtime tells of itself, as JSON. */
export function adminEndpoints({ diagnostics, ...sources }: AdminSources): readonly AdminRoute[] {
  let streams = 0;
  return [
    get("/api/health", () => diagnostics.health()),
    get("/api/statistics", () => diagnostics.statistics()),
    get("/api/tree", () => sources.tree()),
    get("/api/flows", ({ query }) => diagnostics.listCallFlows(query.get("service") ?? undefined)),
    get("/api/flow", ({ query }) => {
      const service = required(query, "service");
      const type = required(query, "type");
      const version = query.get("version");
      const flow = diagnostics.callFlow(service, type, version);
      if (flow !== "not_found") return flow;
      const named = `${service}.${type}${version === null ? "" : ` version ${version}`}`;
      throw libraryError("not_found", `There is no function ${named}`);
    }),
    get("/api/cluster", () => diagnostics.clusterView()),
    get("/api/cache", () => diagnostics.cacheStatus()),
    get("/api/pools", () => diagnostics.poolStatus()),
    get("/api/pushed-services", () => diagnostics.pushedServicesStatus()),
    get("/api/rate-limits", ({ query }) => sources.rlStatus(required(query, "user"))),
    get("/api/rate-limits/global", () => sources.rlGlobal()),
    get("/api/rate-limits/config", () => sources.rlConfig()),
    {
      method: "POST",
      path: "/api/inspect",
      answer: async ({ body }) => json(diagnostics.inspectRequest(inspectedRequestOf(body))),
    },
    {
      method: "POST",
      path: "/api/call",
      timeoutMs: maxCallMs + 1_000,
      async answer({ body, signal }) {
        const { calls } = sources;
        if (calls === null) {
          throw libraryError("permission_denied", 'Calls are allowed only where the option adminActions lists "call"');
        }
        const { request, timeoutMs } = callOf(body);
        if (!isStream(diagnostics, request)) return json(await calls.request(request, { signal, timeoutMs }));
        const named = { requestId: `admin-${++streams}`, ...request };
        return {
          contentType: "application/x-ndjson; charset=utf-8",
          pieces: responseLines(calls, named, { signal, timeoutMs }),
        };
      },
    },
  ];
}

function get(path: string, read: (request: AdminRequest) => unknown): AdminRoute {
  return { method: "GET", path, answer: async (request) => json(await read(request)) };
}

function isStream(diagnostics: Diagnostics, { service, requestType, version = null }: HostRequest): boolean {
  const flow = diagnostics.callFlow(service, requestType, version);
  return flow !== "not_found" && flow.responseType === "stream";
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value !== null && value !== "") return value;
  throw libraryError("invalid_request", `The query must have ${name}`);
}
