import type { CompiledFunction } from "../call/compile-function.ts";
import { type Failure, permissionDenied, rateLimited, refusal, retryExhausted, unavailable } from "../call/failure.ts";
import { findFunction } from "../call/find-function.ts";
import type { HostRequest } from "../call/host-calls.ts";
import { parseRequest, type Request, versionFault } from "../call/request.ts";
import type { ConfigStore, Missing } from "../config/config-store.ts";
import { describe, type ErrorCode, isGenApiError, libraryError } from "../core/errors.ts";
import { shown } from "../core/faults.ts";
import { canonicalAddress } from "../core/ip-address.ts";
import type { NodeTable } from "../node/node-table.ts";
import type { NodeSelector } from "../policy/node-selector.ts";
import { isPermitted } from "../policy/permission.ts";
import type { RateLimiter, RateLimitStatus } from "../policy/rate-limiter.ts";
import { nextStep } from "../policy/retry.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import { type PoolPlace, placeIn } from "./pool-place.ts";
import { counted, limitText, modeText, nameOf, originText, permissionText, placeOf, type StageName } from "./stages.ts";

/** A request to be looked at: as a host's own, from an address. */
export interface InspectedRequest extends HostRequest {
  /** For limits by address; IPv6 in any of its forms. @default null: they do not apply */
  readonly ipAddress?: string | null;
}

/** What a stage would do. */
export interface InspectedStage {
  /** Which stage. */
  readonly stage: StageName;
  /** "unknown": something decides that is not asked: a function of the user's, a node, the calls that wait before it. */
  readonly verdict: "passes" | "refuses" | "unknown";
  /** For people. */
  readonly summary: string;
  /** For programs. Values of arguments are not in it. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** What would happen to a request now. */
export interface RequestInspection {
  /**
   * "would_run": its function would be called, whatever comes of that; or what it would be answered. What is likeliest,
   * where it is not certain.
   */
  readonly outcome: "would_run" | ErrorCode;
  /**
   * Whether it can come to nothing else. False where something has a say that is not asked: a hook, a permission callback
   * or a resolver, the node that would run it, a retry of what is refused now, a wait for its turn.
   */
  readonly isCertain: boolean;
  /** What its client would read; null where it would run. */
  readonly error: string | null;
  /** How long it would have to wait; null unless it is `rate_limited`. */
  readonly retryAfterMs: number | null;
  /** The stages up to the one that refuses, and `after_execute`, which hears of refusals too. */
  readonly stages: readonly InspectedStage[];
}

/** What requests are inspected with. Nothing of it is changed. */
export interface InspectionSources {
  readonly functions: ConfigStore<CompiledFunction>;
  readonly rateLimiter: Pick<RateLimiter, "peek">;
  readonly nodes: Pick<NodeTable, "live">;
  readonly nodeSelector: Pick<NodeSelector, "peek">;
  isExpected(service: string): boolean;
  isDraining(): boolean;
  /** The pool of sync, async and none calls, and that of streams. */
  pool(kind: "async" | "stream"): WorkerPoolStatus;
}

interface Identity {
  readonly userId: string | null;
  readonly deviceId: string | null;
  readonly userRoles: readonly string[];
  readonly ipAddress: string | null;
}

interface Inspected {
  readonly request: Request;
  readonly identity: Identity;
  readonly compiled: CompiledFunction;
  readonly sources: InspectionSources;
}

type Verdict = Omit<InspectedStage, "verdict"> & {
  /** Null: it goes on. */
  readonly failure: Failure | null;
  readonly isUnknown?: boolean;
};

/** The stages between finding the function and its Response, in the pipeline's order; null where it has no such stage. */
const stages: readonly ((inspected: Inspected) => Verdict | null)[] = [
  beforeExecute,
  permission,
  rateLimits,
  nodes,
  permissionCallback,
  checkedArguments,
  execution,
];

/**
 * A dry run: what would happen to a request now, stage by stage, in the order of the pipeline. Nothing is run, no hook,
 * callback or resolver called, nothing counted by a limit, no turn of a node taken.
 *
 * @throws GenApiError `invalid_request` where it is no map, or an identity that no connection can have
 */
export function inspectRequest(given: InspectedRequest, sources: InspectionSources): RequestInspection {
  const identity = identityOf(given);
  const { requestId = "inspected", service, requestType, args, version, trace } = given;
  const payload = { request_id: requestId, service, request_type: requestType, args, version, trace };
  const request = parseRequest(payload);
  if ("code" in request) return inspection([{ ...resolved("no request that can be read"), failure: request }]);
  const found = findFunction(sources, request.service, request.requestType, request.version);
  const resolution = resolve(request, found, sources);
  if (resolution.failure !== null || typeof found === "string") return inspection([resolution]);
  const inspected = { request, identity, compiled: found, sources };
  const verdicts = [resolution];
  for (const stage of stages) {
    const verdict = stage(inspected);
    if (verdict !== null) verdicts.push(verdict);
    if (verdict !== null && verdict.failure !== null) break;
  }
  const after = afterExecute(inspected);
  return inspection(after === null ? verdicts : [...verdicts, after]);
}

function identityOf(given: InspectedRequest): Identity {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw libraryError("invalid_request", `The request must be a map, got ${describe(given)}`);
  }
  const userId = textOf(given, "userId");
  // An empty one is nobody, as on a connection.
  return {
    userId: userId === "" ? null : userId,
    deviceId: textOf(given, "deviceId"),
    userRoles: rolesOf(given),
    ipAddress: addressOf(given),
  };
}

function textOf(given: InspectedRequest, name: "userId" | "deviceId" | "ipAddress"): string | null {
  const value: unknown = given[name] ?? null;
  if (value === null || typeof value === "string") return value;
  throw libraryError("invalid_request", `${name} must be a string or null, got ${describe(value)}`);
}

function addressOf(given: InspectedRequest): string | null {
  const text = textOf(given, "ipAddress");
  if (text === null) return null;
  const address = canonicalAddress(text);
  if (address !== undefined) return address;
  throw libraryError("invalid_request", `ipAddress must be an IP address or null, got ${shown(text)}`);
}

function rolesOf({ userRoles }: InspectedRequest): readonly string[] {
  const roles: unknown = userRoles ?? [];
  if (Array.isArray(roles) && roles.every((role) => typeof role === "string")) return roles;
  throw libraryError("invalid_request", `userRoles must be a list of strings, got ${describe(roles)}`);
}

function inspection(verdicts: readonly Verdict[]): RequestInspection {
  const failure = verdicts.find((verdict) => verdict.failure !== null)?.failure ?? null;
  return {
    outcome: failure?.code ?? "would_run",
    isCertain: !verdicts.some(({ isUnknown }) => isUnknown),
    error: failure?.message ?? null,
    retryAfterMs: failure?.retryAfterMs ?? null,
    stages: verdicts.map(({ failure: refused, isUnknown = false, ...stage }) => ({
      ...stage,
      verdict: refused !== null ? "refuses" : isUnknown ? "unknown" : "passes",
    })),
  };
}

function resolve(request: Request, found: CompiledFunction | Missing, sources: InspectionSources): Verdict {
  const { service, requestType, version } = request;
  const named = `${requestType} version ${version ?? "latest"}`;
  if (sources.isDraining()) return { ...resolved("the gateway is draining"), failure: unavailable };
  if (found === "disabled") {
    return { ...resolved(`${named} is disabled`), failure: refusal("disabled", `disabled function: ${named}`) };
  }
  if (found !== "not_found") {
    const { version: own } = found.config;
    const { origin = "host" } = found;
    return {
      ...resolved(`${own === null ? "unversioned" : `version ${own}`}, ${originText(origin)}`, {
        version: own,
        origin,
      }),
      failure: null,
    };
  }
  const fault = versionFault(version);
  if (fault !== null) return { ...resolved("no version that can be"), failure: fault };
  if (sources.isExpected(service)) {
    return { ...resolved(`the service ${service} is still expected`), failure: unavailable };
  }
  return { ...resolved(`there is no ${named}`), failure: refusal("not_found", `unsupported function: ${named}`) };
}

function resolved(summary: string, details: InspectedStage["details"] = {}): Omit<Verdict, "failure"> {
  return { stage: "resolve", summary, details };
}

function beforeExecute({ compiled: { config } }: Inspected): Verdict | null {
  const { beforeExecute: hook, hookTimeout } = config;
  if (hook === null) return null;
  const summary = `${nameOf(hook)} would be asked; what follows is for the request as it is`;
  return { stage: "before_execute", summary, details: { hookTimeout }, failure: null, isUnknown: true };
}

function permission({ request, identity, compiled: { config, permissionCallback: callback } }: Inspected) {
  if (callback !== null) return null;
  const { checkPermission, argOrders } = config;
  const permitted = isPermitted(checkPermission, identity, request.args, argOrders);
  const summary = `${permissionText(checkPermission)}: ${permitted ? "permitted" : "denied"}`;
  const failure = permitted ? null : permissionDenied;
  return { stage: "permission", summary, details: { checkPermission }, failure } as const;
}

function rateLimits({ request: { service, requestType, args }, identity, sources }: Inspected): Verdict {
  const { userId, deviceId, ipAddress } = identity;
  const limits = sources.rateLimiter.peek({ service, requestType, args, userId, deviceId, ipAddress });
  const retryAfterMs = Math.max(0, ...limits.map((limit) => limit.retryAfterMs));
  const summary = limits.length === 0 ? "none applies" : limits.map(usedText).join("; ");
  return {
    stage: "rate_limits",
    summary,
    details: { limits },
    failure: retryAfterMs > 0 ? rateLimited(retryAfterMs) : null,
  };
}

function usedText(limit: RateLimitStatus): string {
  const left = `${limitText(limit)}, ${limit.remaining} left`;
  return limit.remaining > 0 && limit.retryAfterMs > 0 ? `${left}, but all keys are in use` : left;
}

function nodes({ request, identity, compiled, sources }: Inspected): Verdict {
  const { nodes: functionNodes, config } = compiled;
  if (functionNodes === null) {
    return { stage: "nodes", summary: `here, on ${placeOf(compiled)}`, details: {}, failure: null };
  }
  const { known } = functionNodes;
  if (known === null) {
    const summary = "the resolver would be asked";
    return { stage: "nodes", summary, details: { nodes: null }, failure: null, isUnknown: true };
  }
  const live = sources.nodes.live(known, config.service);
  const selected = sources.nodeSelector.peek(config.chooseNodeMode, functionNodes.functionKey, live, {
    requestId: request.requestId,
    args: request.args,
    ...identity,
  });
  const of = `${modeText(config.chooseNodeMode)} of ${counted(known.length, "node")}, ${live.length} live`;
  const details = { nodes: known, live, selected };
  if (live.length === 0) return { stage: "nodes", summary: of, details, failure: unavailable };
  return { stage: "nodes", summary: `${selected ?? "any of them"}: ${of}`, details, failure: null };
}

function permissionCallback({ compiled, sources }: Inspected): Verdict | null {
  const { permissionCallback: callback, hookTimeout, nodes: configured, runOn } = compiled.config;
  if (callback === null || compiled.permissionCallback === null) return null;
  const stage = "permission_callback";
  const asked = `${nameOf(callback)} would be asked`;
  if (configured === "local" && runOn === "worker") {
    // A stream's is a call too. Who cannot be asked has not denied.
    const { isRefused, summary, details } = placeIn(sources.pool("async"), compiled.permissionCallback);
    const facts = { hookTimeout, ...details };
    if (isRefused) return { stage, summary: `${asked}: ${summary}`, details: facts, failure: unavailable };
  }
  return { stage, summary: asked, details: { hookTimeout }, failure: null, isUnknown: true };
}

function checkedArguments({ request: { args }, compiled }: Inspected): Verdict {
  const checked = compiled.validate(args);
  if (isGenApiError(checked)) {
    return { stage: "arguments", summary: checked.message, details: {}, failure: checked };
  }
  const count = compiled.config.mfa.args.length + checked.length;
  const summary = `valid; the function would get ${counted(count, "argument")}`;
  return { stage: "arguments", summary, details: { count }, failure: null };
}

function execution({ compiled, sources }: Inspected): Verdict {
  const { config, target } = compiled;
  const stage = "execution";
  if (config.nodes !== "local") {
    const summary = "it would be sent to the node, which may be too busy to take it";
    return { stage, summary, details: {}, failure: null, isUnknown: true };
  }
  if (config.runOn === "main") return { stage, summary: "it would run at once", details: {}, failure: null };
  const isStream = config.responseType === "stream";
  const place = placeIn(sources.pool(isStream ? "stream" : "async"), target);
  const { summary, details } = place;
  // Its time runs while it waits.
  if (!place.isRefused) return { stage, summary, details, failure: null, isUnknown: place.isWaiting };
  // A stream has one attempt.
  return isStream ? { stage, summary, details, failure: unavailable } : refusedAttempt(place, compiled);
}

/** What comes of a first attempt that its pool refuses: it may be taken later, where the function has `retry`. */
function refusedAttempt({ summary, details }: PoolPlace, { retryPlan }: CompiledFunction): Verdict {
  const stage = "execution";
  const { step } = nextStep(retryPlan, 0, unavailable, () => 0);
  if (retryPlan === null || step !== "retry") return { stage, summary, details, failure: unavailable };
  const again = `${summary}; it would be tried again, ${counted(retryPlan.retries, "time")} at most`;
  return { stage, summary: again, details, failure: retryExhausted, isUnknown: true };
}

/** Runs also after a refusal, of which it may make anything. */
function afterExecute({ compiled: { config } }: Inspected): Verdict | null {
  const { afterExecute: hook, hookTimeout } = config;
  if (hook === null) return null;
  const summary = `${nameOf(hook)} may replace the Response`;
  return { stage: "after_execute", summary, details: { hookTimeout }, failure: null, isUnknown: true };
}
