import { findFunction } from "../call/find-function.ts";
import { hostArguments } from "../call/host/host-arguments.ts";
import type { HostRequest } from "../call/host/host-calls.ts";
import { hostClaims } from "../call/host/host-claims.ts";
import { parseRequest } from "../call/request/request.ts";
import { afterExecute } from "../call/stages/after-execute.ts";
import { resolve } from "../call/stages/resolve.ts";
import type { DryRunDeps, InspectedIdentity, Verdict } from "../call/stages/stage.ts";
import type { StageName, StageText } from "../call/stages/stage-text.ts";
import { stages } from "../call/stages/stages.ts";
import { describe, type ErrorCode, isGenApiError, libraryError } from "../core/errors.ts";
import { shown } from "../core/faults.ts";
import { canonicalAddress } from "../core/net/ip-address.ts";
import type { Claims } from "../core/request-info.ts";
import { readRoles, rolesRule } from "../policy/roles.ts";

/** What a stage would do. */
export interface InspectedStage extends StageText {
  /** The stage's name. */
  readonly stage: StageName;
  /** "unknown": something decides that is not asked: a user function, a node, the calls ahead. */
  readonly verdict: "passes" | "refuses" | "unknown";
}

/** What would happen to a request now. */
export interface RequestInspection {
  /**
   * "would_run": its function would be called, with any result; otherwise the code of its failure. If it is not
   * certain, the likeliest outcome.
   */
  readonly outcome: "would_run" | ErrorCode;
  /**
   * Whether no other outcome is possible. False if something decides that is not asked: a hook, a permission callback
   * or a resolver, the node that would run it, a retry of what is refused now, a wait for its turn.
   */
  readonly isCertain: boolean;
  /** The message for its client; null if it would run. */
  readonly error: string | null;
  /** How long it would have to wait, milliseconds; null unless it is `rate_limited`. */
  readonly retryAfterMs: number | null;
  /** The stages up to the one that refuses, and `after_execute`, which also sees refusals. */
  readonly stages: readonly InspectedStage[];
}

interface Inspected {
  readonly name: StageName;
  readonly verdict: Verdict;
}

/**
 * A dry run: what would happen to a request now, stage by stage, in the order of the pipeline. It runs nothing, calls
 * no hook, callback or resolver, counts towards no limit and takes no node's turn.
 *
 * @throws GenApiError `invalid_request` if it is not a map, or has an identity that no connection can have
 */
export function inspectRequest(given: HostRequest, deps: DryRunDeps): RequestInspection {
  const identity = identityOf(given);
  const { requestId = "inspected", service, requestType, version, trace } = given;
  const args = hostArguments(given.args);
  const payload = { request_id: requestId, service, request_type: requestType, args, version, trace };
  const request = parseRequest(payload);
  if ("code" in request) {
    const verdict = { summary: "no request that can be read", details: {}, failure: request };
    return inspection([{ name: resolve.name, verdict }]);
  }
  const found = findFunction(deps, request.service, request.requestType, request.version);
  const resolution = resolve.inspect(request, found, deps);
  const passed: Inspected[] = [{ name: resolve.name, verdict: resolution }];
  if (resolution.failure !== null || typeof found === "string") return inspection(passed);
  const inspected = { request, identity, compiled: found, deps };
  for (const stage of stages) {
    const verdict = stage.inspect(inspected);
    if (verdict !== null) passed.push({ name: stage.name, verdict });
    if (verdict !== null && verdict.failure !== null) break;
  }
  const after = afterExecute.inspect(found);
  return inspection(after === null ? passed : [...passed, { name: afterExecute.name, verdict: after }]);
}

function identityOf(given: HostRequest): InspectedIdentity {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw libraryError("invalid_request", `The request must be a map, got ${describe(given)}`);
  }
  const userId = textOf(given, "userId");
  // As on a connection, an empty id means anonymous.
  return {
    userId: userId === "" ? null : userId,
    deviceId: textOf(given, "deviceId"),
    userRoles: rolesOf(given),
    ipAddress: addressOf(given),
    claims: claimsOf(given),
  };
}

function textOf(given: HostRequest, name: "userId" | "deviceId" | "ipAddress"): string | null {
  const value: unknown = given[name] ?? null;
  if (value === null || typeof value === "string") return value;
  throw libraryError("invalid_request", `${name} must be a string or null, got ${describe(value)}`);
}

function addressOf(given: HostRequest): string | null {
  const text = textOf(given, "ipAddress");
  if (text === null) return null;
  const address = canonicalAddress(text);
  if (address !== undefined) return address;
  throw libraryError("invalid_request", `ipAddress must be an IP address or null, got ${shown(text)}`);
}

function claimsOf({ claims }: HostRequest): Claims {
  const vouched = hostClaims(claims);
  if (!isGenApiError(vouched)) return vouched;
  throw libraryError("invalid_request", vouched.message);
}

function rolesOf({ userRoles }: HostRequest): readonly string[] {
  const roles = readRoles(userRoles ?? []);
  if (roles !== null) return roles;
  throw libraryError("invalid_request", `userRoles must be ${rolesRule}, got ${describe(userRoles)}`);
}

function inspection(inspected: readonly Inspected[]): RequestInspection {
  const failure = inspected.find(({ verdict }) => verdict.failure !== null)?.verdict.failure ?? null;
  return {
    outcome: failure?.code ?? "would_run",
    isCertain: !inspected.some(({ verdict }) => verdict.isUnknown),
    error: failure?.message ?? null,
    retryAfterMs: failure?.retryAfterMs ?? null,
    stages: inspected.map(({ name, verdict: { summary, details, failure: refusal, isUnknown } }) => ({
      stage: name,
      verdict: refusal !== null ? "refuses" : isUnknown ? "unknown" : "passes",
      summary,
      details,
    })),
  };
}
