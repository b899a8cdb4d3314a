import type { Response } from "../call/request/response.ts";
import type { CacheStatus } from "../diagnostics/cache-status.ts";
import type { CallFlow, CallFlowSummary } from "../diagnostics/call-flow.ts";
import type { ClusterView } from "../diagnostics/cluster-view.ts";
import type { Health } from "../diagnostics/health.ts";
import type { RequestInspection } from "../diagnostics/inspect-request.ts";
import type { RateLimitStatus } from "../policy/rate-limiter/rate-limiter.ts";
import type { Reloaded } from "../runtime/options/reload-options.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import { duration, jsonLine, jsonText, number, paint, plain, state, table } from "./text.ts";

/** The health of a gateway, with its problems. */
export function healthView({ status, isReady, reasons }: Health): string {
  const readiness = isReady ? "takes clients" : "takes no clients";
  return [`${state(status)}, ${readiness}`, ...reasons.map(({ message }) => `  ${plain(message)}`)].join("\n");
}

/** The path of a function's requests. */
export function flowView({ service, requestType, version, disabled, origin, versions, stages }: CallFlow): string {
  const name = paint("bold", `${plain(service)}.${plain(requestType)}`);
  const others = versions.map((each) => `${each.version ?? "unversioned"}${each.disabled ? " (disabled)" : ""}`);
  return [
    `${name} ${plain(version ?? "unversioned")}, ${origin === "host" ? "registered by the host" : `${origin} from nodes`}${disabled ? paint("red", ", disabled") : ""}`,
    ...(versions.length > 1 ? [`versions: ${plain(others.join(", "))}`] : []),
    "",
    table(
      [{ title: "STAGE" }, { title: "WHAT HAPPENS" }],
      stages.map(({ stage, summary }) => [stage, plain(summary)]),
    ),
  ].join("\n");
}

/** All functions. */
export function flowsView(flows: readonly CallFlowSummary[]): string {
  if (flows.length === 0) return "There are no functions.";
  return table(
    [
      { title: "SERVICE" },
      { title: "TYPE" },
      { title: "VERSION" },
      { title: "RESPONSE" },
      { title: "RUNS ON" },
      { title: "FROM" },
      { title: "STATE" },
    ],
    flows.map(({ service, requestType, version, responseType, runsOn, origin, disabled }) => [
      plain(service),
      plain(requestType),
      plain(version ?? "-"),
      responseType,
      runsOn,
      origin,
      state(disabled ? "disabled" : "enabled"),
    ]),
  );
}

/** What would happen to a request. */
export function inspectionView({ outcome, isCertain, error, stages }: RequestInspection): string {
  const doubt = isCertain ? "" : ", as far as can be known";
  return [
    `${state(outcome)}${doubt}${error === null ? "" : `: ${plain(error)}`}`,
    "",
    table(
      [{ title: "STAGE" }, { title: "VERDICT" }, { title: "WHY" }],
      stages.map(({ stage, verdict, summary }) => [stage, state(verdict), plain(summary)]),
    ),
  ].join("\n");
}

/** The outcome of a call, or a chunk of a stream in one line; null at the end of a stream. */
export function responseView({ success, result, error, error_code, reason, async, has_more }: Response) {
  if (!success) return paint("red", plain(`${error_code}${reason === undefined ? "" : ` (${reason})`}: ${error}`));
  if (!async) return jsonText(result);
  return has_more ? jsonLine(result) : null;
}

/** What was reloaded. */
export function reloadView({ service, modules, functions, oldThreads }: Reloaded): string {
  const rows = [
    ...modules.map((module) => `  module    ${plain(module)}`),
    ...functions.map((name) => `  function  ${plain(name)}`),
  ];
  const old =
    oldThreads === 0
      ? []
      : [`Calls still run earlier code, on ${number(oldThreads)} threads, which end when the last of them has ended.`];
  return [`New calls of ${plain(service)} get the new code.`, ...rows, ...old].join("\n");
}

/** How much a user has used of the limits by user id. */
export function limitsView(user: string, limits: readonly RateLimitStatus[]): string {
  if (limits.length === 0) return "There are no limits by userId.";
  return [
    `user ${plain(user)}`,
    table(
      [
        { title: "SCOPE" },
        { title: "WINDOW", isRight: true },
        { title: "USED", isRight: true },
        { title: "OF", isRight: true },
        { title: "LEFT", isRight: true },
        { title: "NEXT IN", isRight: true },
      ],
      limits.map(({ scope, windowMs, count, maxRequests, remaining, retryAfterMs }) => [
        plain(scope === "global" ? scope : `${scope.service}.${scope.requestType}`),
        duration(windowMs),
        number(count),
        number(maxRequests),
        remaining === 0 ? paint("red", "0") : number(remaining),
        retryAfterMs === 0 ? "now" : paint("red", duration(retryAfterMs)),
      ]),
    ),
  ].join("\n");
}

/** The table of functions. */
export function cacheView({ count, disabled, services, origins, failedConfigs }: CacheStatus): string {
  const from = Object.entries(origins).map(([origin, functions]) => `${number(functions)} ${origin}`);
  const summary = `${number(count)} functions (${from.join(", ")}), ${number(disabled)} disabled`;
  const refused =
    failedConfigs.total === 0
      ? []
      : [paint("yellow", `${number(failedConfigs.total)} FunConfigs of nodes were refused`)];
  const rows = Object.entries(services).map(([service, functions]) => [plain(service), number(functions)]);
  return [
    summary,
    ...refused,
    ...(rows.length === 0 ? [] : [table([{ title: "SERVICE" }, { title: "FUNCTIONS", isRight: true }], rows)]),
  ].join("\n");
}

/** What is counted beside a figure. */
function more(count: number): string {
  return count === 0 ? "" : ` +${number(count)}`;
}

/** The worker pools; after a plus what their figures do not count: old threads, and calls by functions. */
export function poolsView(pools: readonly WorkerPoolStatus[]): string {
  const open = pools.flatMap(({ name, openCircuits }) =>
    openCircuits.map(
      (circuit) =>
        `${name}: the circuit of ${plain(`${circuit.moduleName}.${circuit.function}`)} is open (${plain(circuit.module)})`,
    ),
  );
  return [
    table(
      [
        { title: "POOL" },
        { title: "STATE" },
        { title: "THREADS", isRight: true },
        { title: "IN FLIGHT", isRight: true },
        { title: "QUEUED", isRight: true },
        { title: "OPEN CIRCUITS", isRight: true },
      ],
      pools.map((pool) => [
        pool.name,
        state(pool.state),
        `${pool.readyThreads}/${pool.threads}${more(pool.oldThreads)}`,
        `${number(pool.inFlight)}/${number(pool.maxInFlight)}${more(pool.nestedInFlight)}`,
        `${number(pool.queued)}/${number(pool.maxQueueSize)}${more(pool.nestedQueued)}`,
        pool.openCircuits.length === 0 ? "0" : paint("red", String(pool.openCircuits.length)),
      ]),
    ),
    ...open.map((line) => paint("red", line)),
  ].join("\n");
}

/** Service nodes, and their services. */
export function nodesView({ nodes, services, missingServices }: ClusterView, now: number): string {
  const missing = missingServices.map((service) =>
    paint("yellow", `The expected service ${plain(service)} has not come yet`),
  );
  if (nodes.length === 0) return ["There are no service nodes.", ...missing].join("\n");
  const columns = [
    { title: "NODE" },
    { title: "STATE" },
    { title: "FOR", isRight: true },
    { title: "IN FLIGHT", isRight: true },
    { title: "FROM" },
    { title: "SERVICES" },
  ];
  const rows = nodes.map(({ node, state: word, since, inFlight, peer, services: proven }) => {
    const pushed = services.flatMap(({ service, nodes: having }) =>
      having
        .filter((each) => each.node === node)
        .map(({ configVersion }) => `${service} ${configVersion ?? ""}`.trim()),
    );
    return [
      plain(node),
      state(word),
      duration(now - since),
      number(inFlight),
      plain(peer),
      plain((pushed.length > 0 ? pushed : proven).join(", ")),
    ];
  });
  return [table(columns, rows), ...missing].join("\n");
}
