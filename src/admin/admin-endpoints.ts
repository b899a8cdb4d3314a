import type { TreeNode } from "../actor/supervisor/tree-node.ts";
import type { HostCalls, HostRequest } from "../call/host/host-calls.ts";
import { type GenApiError, libraryError } from "../core/errors.ts";
import type { DescribedIdentity, GatewayDescription } from "../description/gateway-description.ts";
import type { Diagnostics } from "../diagnostics/diagnostics.ts";
import type { RateLimiterApi } from "../policy/rate-limiter/rate-limiter-api.ts";
import { callOf, inspectedRequestOf, maxCallMs, reloadOf, reloadTimeoutMs } from "./admin-requests.ts";
import { type AdminRequest, type AdminRoute, json } from "./admin-route.ts";
import { describeRoute } from "./describe-route.ts";
import { responseLines } from "./response-lines.ts";

/** The deps of the admin listener's own endpoints. */
export interface AdminDeps {
  readonly diagnostics: Diagnostics;
  tree(): TreeNode;
  /** What the gateway offers, to an identity or to all. */
  describe(identity?: DescribedIdentity): GatewayDescription;
  readonly rateLimiter: Pick<RateLimiterApi, "status" | "getGlobalLimits" | "getConfig">;
  /** Calls functions; null if that is not allowed. */
  readonly calls: Pick<HostCalls, "request" | "stream"> | null;
  /** Reloads services; null if that is not allowed. */
  readonly reloads: { reload(service: string, options: { readonly force: boolean }): Promise<unknown> } | null;
}

/** The admin listener's endpoints: a gateway's reports about itself, as JSON. */
export function adminEndpoints({ diagnostics, ...deps }: AdminDeps): readonly AdminRoute[] {
  let streams = 0;
  return [
    get("/api/health", () => diagnostics.health()),
    get("/api/statistics", () => diagnostics.statistics()),
    get("/api/tree", () => deps.tree()),
    get("/api/flows", ({ query }) => diagnostics.flows(query.get("service") ?? undefined)),
    get("/api/flow", ({ query }) => {
      const service = required(query, "service");
      const type = required(query, "type");
      const version = query.get("version");
      const flow = diagnostics.flow(service, type, version);
      if (flow !== "not_found") return flow;
      const named = `${service}.${type}${version === null ? "" : ` version ${version}`}`;
      throw libraryError("not_found", `There is no function ${named}`);
    }),
    get("/api/cluster", () => diagnostics.cluster()),
    get("/api/cache", () => diagnostics.functions()),
    get("/api/pools", () => diagnostics.pools()),
    get("/api/pushed-services", () => diagnostics.pushedServices()),
    get("/api/rate-limits", ({ query }) => deps.rateLimiter.status(required(query, "user"), undefined, "userId")),
    get("/api/rate-limits/global", () => deps.rateLimiter.getGlobalLimits()),
    get("/api/rate-limits/config", () => deps.rateLimiter.getConfig()),
    describeRoute(deps.describe),
    {
      method: "POST",
      path: "/api/inspect",
      answer: async ({ body }) => json(diagnostics.inspectRequest(inspectedRequestOf(body))),
    },
    {
      method: "POST",
      path: "/api/reload",
      timeoutMs: reloadTimeoutMs,
      async answer({ body }) {
        const { reloads } = deps;
        if (reloads === null) throw notAllowed("Reloads", "reload");
        const { service, force } = reloadOf(body);
        return json(await reloads.reload(service, { force }));
      },
    },
    {
      method: "POST",
      path: "/api/call",
      timeoutMs: maxCallMs + 1_000,
      async answer({ body, signal }) {
        const { calls } = deps;
        if (calls === null) throw notAllowed("Calls", "call");
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

function notAllowed(what: string, action: string): GenApiError {
  return libraryError("permission_denied", `${what} are allowed only where the option adminActions lists "${action}"`);
}

function isStream(diagnostics: Diagnostics, { service, requestType, version = null }: HostRequest): boolean {
  const flow = diagnostics.flow(service, requestType, version);
  return flow !== "not_found" && flow.responseType === "stream";
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value !== null && value !== "") return value;
  throw libraryError("invalid_request", `The query must have ${name}`);
}
