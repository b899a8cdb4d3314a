import semver from "semver";
import { describe } from "../core/errors.ts";
import { shown } from "../core/faults.ts";
import type { TraceContext } from "../core/request-info.ts";
import { readTrace } from "../core/trace-context.ts";
import { type Failure, invalidRequest } from "./failure.ts";

/** A request as it was read from a payload. Who sent it is not in it: that comes from the connection. */
export interface Request {
  readonly requestId: string;
  readonly requestType: string;
  readonly service: string;
  readonly args: Record<string, unknown>;
  readonly version: string | null;
  /** What the payload claims; nothing is decided by it. */
  readonly claimedUserId: string | null;
  readonly claimedDeviceId: string | null;
  /** W3C trace context, before that of the connection; null where there is none that can be read. */
  readonly trace: TraceContext | null;
}

/** What a request without a usable id is answered as. */
const unknownRequestId = "unknown";

/** Reads a payload, any JSON value. @returns the request, or the failure that names what is wrong with it */
export function parseRequest(payload: unknown): Request | Failure {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    return invalidRequest(`The payload must be a map, got ${describe(payload)}`);
  }
  const { request_type, request_id, service, args, version, user_id, device_id, user_roles, trace } =
    payload as Payload;
  if (!isName(request_type) || !isName(request_id) || !isName(service)) return nameFault(payload as Payload);
  if (args !== undefined && args !== null && (typeof args !== "object" || Array.isArray(args))) {
    return invalidRequest(`args must be a map, got ${describe(args)}`);
  }
  if (!isText(version)) return invalidRequest(`version must be a semantic version or null, got ${shown(version)}`);
  if (!isText(user_id)) return invalidRequest(`user_id must be a string or null, got ${describe(user_id)}`);
  if (!isText(device_id)) return invalidRequest(`device_id must be a string or null, got ${describe(device_id)}`);
  if (user_roles !== undefined && user_roles !== null && !isListOfText(user_roles)) {
    return invalidRequest(`user_roles must be a list of strings or null, got ${describe(user_roles)}`);
  }
  const fault = trace === undefined || trace === null ? null : traceFault(trace);
  if (fault !== null) return fault;
  return {
    requestId: request_id,
    requestType: request_type,
    service,
    args: (args as Record<string, unknown> | null | undefined) ?? {},
    version: version ?? null,
    claimedUserId: user_id ?? null,
    claimedDeviceId: device_id ?? null,
    trace: trace === undefined || trace === null ? null : traceIn(trace as TraceFields),
  };
}

/** The id under which a payload is answered. */
export function requestIdOf(payload: unknown): string {
  const id = typeof payload === "object" && payload !== null ? (payload as Payload).request_id : undefined;
  return isName(id) ? id : unknownRequestId;
}

/** Why no function of that version can exist; null for a semantic version. Asked only when none was found. */
export function versionFault(version: string | null): Failure | null {
  if (version === null || semver.valid(version) === version) return null;
  return invalidRequest(`version must be a semantic version or null, got ${shown(version)}`);
}

type Payload = Record<
  "request_type" | "request_id" | "service" | "args" | "version" | "user_id" | "device_id" | "user_roles" | "trace",
  unknown
>;

type TraceFields = Record<"traceparent" | "tracestate", unknown>;

function traceFault(trace: unknown): Failure | null {
  if (typeof trace !== "object" || trace === null || Array.isArray(trace)) {
    return invalidRequest(`trace must be a map or null, got ${describe(trace)}`);
  }
  for (const name of ["traceparent", "tracestate"] as const) {
    const value = (trace as TraceFields)[name];
    if (!isText(value)) return invalidRequest(`trace.${name} must be a string or null, got ${describe(value)}`);
  }
  return null;
}

function traceIn({ traceparent, tracestate }: TraceFields): TraceContext | null {
  return readTrace(traceparent, tracestate);
}

function nameFault(payload: Payload): Failure {
  const names = ["request_type", "request_id", "service"] as const;
  const missing = names.filter((name) => payload[name] === undefined || payload[name] === null || payload[name] === "");
  if (missing.length > 0) return invalidRequest(`Missing required fields: ${missing.join(", ")}`);
  const wrong = names.filter((name) => typeof payload[name] !== "string");
  return invalidRequest(wrong.map((name) => `${name} must be a string, got ${describe(payload[name])}`).join("; "));
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isText(value: unknown): value is string | null | undefined {
  return typeof value === "string" || value === null || value === undefined;
}

function isListOfText(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
