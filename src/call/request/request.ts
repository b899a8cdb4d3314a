import { describe } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";
import type { TraceContext } from "../../core/request-info.ts";
import { parseVersion } from "../../core/semantic-version.ts";
import { readTrace } from "../../core/trace-context.ts";
import { widestClientWindow } from "../../execution/stream-credit.ts";
import { TooDeep } from "../../protocol/message.ts";
import { type Failure, invalidRequest } from "./failure.ts";

/** A request parsed from a payload. The sender is not part of it: that comes from the connection. */
export interface Request {
  readonly requestId: string;
  readonly requestType: string;
  readonly service: string;
  /** As the client sent them; emptied once they are validated and no longer needed. */
  args: Record<string, unknown>;
  readonly version: string | null;
  /** The claim of the payload; it decides nothing. */
  readonly claimedUserId: string | null;
  readonly claimedDeviceId: string | null;
  /** How long its client waits for the whole of it, milliseconds; null: as long as it takes. */
  readonly timeoutMs: number | null;
  /** A stream's most unacknowledged chunks; null without a window. */
  readonly window: number | null;
  /** Requests with the same key are one call. */
  readonly idempotencyKey: string | null;
  /** Whether a stream outlives its socket. */
  readonly resume: boolean;
  /** W3C trace context, in preference to the connection's; null without a valid one. */
  readonly trace: TraceContext | null;
}

/** The id in answers to requests without one. */
export const unknownRequestId = "unknown";

/**
 * Parses a payload, any JSON value.
 * @returns the request, or the failure that names its fault
 */
export function parseRequest(payload: unknown): Request | Failure {
  if (payload instanceof TooDeep) return invalidRequest("The payload is nested too deep to be read");
  if (typeof payload !== "object" || payload === null || Array.isArray(payload) || isBytes(payload)) {
    const came = isBytes(payload) ? "bytes" : describe(payload);
    return invalidRequest(`The payload must be a map, got ${came}`);
  }
  const { request_type, request_id, service, args, version, user_id, device_id, user_roles, timeout_ms } =
    payload as Payload;
  const { trace, window, resume, idempotency_key } = payload as Payload;
  if (!isName(request_type) || !isName(request_id) || !isName(service)) return nameFault(payload as Payload);
  for (const name of sentBack) {
    const value = (payload as Payload)[name];
    if (typeof value === "string" && isTooLong(value)) return lengthFault(name, value);
  }
  if (args !== undefined && args !== null && (typeof args !== "object" || Array.isArray(args) || isBytes(args))) {
    return invalidRequest(`args must be a map, got ${isBytes(args) ? "bytes" : describe(args)}`);
  }
  if (!isText(version)) return invalidRequest(`version must be a semantic version or null, got ${shown(version)}`);
  if (!isText(user_id)) return invalidRequest(`user_id must be a string or null, got ${describe(user_id)}`);
  if (!isText(device_id)) return invalidRequest(`device_id must be a string or null, got ${describe(device_id)}`);
  if (user_roles !== undefined && user_roles !== null && !isListOfText(user_roles)) {
    return invalidRequest(`user_roles must be a list of strings or null, got ${describe(user_roles)}`);
  }
  if (timeout_ms !== undefined && timeout_ms !== null && !isDuration(timeout_ms)) {
    return invalidRequest(`timeout_ms must be a number of milliseconds, at least 1, or null, got ${shown(timeout_ms)}`);
  }
  const fault = trace === undefined || trace === null ? null : traceFault(trace);
  if (fault !== null) return fault;
  if (window !== undefined && window !== null && !isWindow(window)) {
    return invalidRequest(
      `window must be a whole number from 1 to ${widestClientWindow} or null, got ${shown(window)}`,
    );
  }
  if (resume !== undefined && resume !== null) {
    if (typeof resume !== "boolean") return invalidRequest(`resume must be a boolean or null, got ${describe(resume)}`);
    if (resume && (window ?? null) === null) return invalidRequest("resume requires a window");
  }
  if (idempotency_key !== undefined && idempotency_key !== null) {
    const keyFault = idempotencyKeyFault(idempotency_key);
    if (keyFault !== null) return keyFault;
  }
  return {
    requestId: request_id,
    requestType: request_type,
    service,
    args: (args as Record<string, unknown> | null | undefined) ?? {},
    version: version ?? null,
    claimedUserId: user_id ?? null,
    claimedDeviceId: device_id ?? null,
    timeoutMs: (timeout_ms as number | null | undefined) ?? null,
    window: window ?? null,
    idempotencyKey: (idempotency_key as string | null | undefined) ?? null,
    resume: resume ?? false,
    trace: trace === undefined || trace === null ? null : traceIn(trace as TraceFields),
  };
}

/** The id under which a payload is answered. */
export function requestIdOf(payload: unknown): string {
  const id = typeof payload === "object" && payload !== null ? (payload as Payload).request_id : undefined;
  return isName(id) && !isTooLong(id) ? id : unknownRequestId;
}

// Answers, telemetry and functions repeat these, and they are kept while the request runs: the same limit as for
// topics.
const maxNameBytes = 1_024;
const sentBack = ["request_id", "request_type", "service", "version", "user_id", "device_id"] as const;

function isTooLong(text: string): boolean {
  // A UTF-16 unit takes at most three bytes: only those near the limit are counted exactly.
  return text.length > maxNameBytes || (text.length * 3 > maxNameBytes && Buffer.byteLength(text) > maxNameBytes);
}

function lengthFault(name: string, text: string): Failure {
  return invalidRequest(`${name} must have at most ${maxNameBytes} bytes, got ${Buffer.byteLength(text)}`);
}

/** Why no function of that version can exist; null for a semantic version. Checked only if none was found. */
export function versionFault(version: string | null): Failure | null {
  if (version === null || parseVersion(version) !== null) return null;
  return invalidRequest(`version must be a semantic version or null, got ${shown(version)}`);
}

type Payload = Record<
  | "request_type"
  | "request_id"
  | "service"
  | "args"
  | "version"
  | "user_id"
  | "device_id"
  | "user_roles"
  | "timeout_ms"
  | "trace"
  | "window"
  | "resume"
  | "idempotency_key",
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

const maxKeyBytes = 128;

function idempotencyKeyFault(key: unknown): Failure | null {
  const must = `idempotency_key must be a string of 1 to ${maxKeyBytes} bytes or null`;
  if (typeof key !== "string") return invalidRequest(`${must}, got ${describe(key)}`);
  const bytes = Buffer.byteLength(key);
  return bytes >= 1 && bytes <= maxKeyBytes ? null : invalidRequest(`${must}, got ${bytes} bytes`);
}

function isWindow(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= widestClientWindow;
}

/** The payload of a binary frame. */
function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isText(value: unknown): value is string | null | undefined {
  return typeof value === "string" || value === null || value === undefined;
}

function isDuration(value: unknown): boolean {
  return typeof value === "number" && value >= 1;
}

function isListOfText(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
