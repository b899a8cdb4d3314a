import { libraryError } from "../core/errors.ts";
import type { RequestIdentity, TraceContext } from "../core/request-info.ts";

/**
 * A call's identity on its way to a node, without its keys, which would be most of it; its trace alone where the function
 * did not ask for its RequestInfo.
 */
export function packIdentity(identity: RequestIdentity | null, trace: TraceContext | null): readonly unknown[] | null {
  if (identity === null) return trace === null ? null : [trace];
  const { requestId, requestType, service, version, userId, userIdVerified, deviceId, userRoles } = identity;
  return [requestId, requestType, service, version, userId, userIdVerified, deviceId, userRoles, identity.trace];
}

/**
 * The identity in what {@link packIdentity} made; null where there is none.
 *
 * @throws GenApiError `invalid_request` for anything else
 */
export function unpackIdentity(packed: unknown): RequestIdentity | null {
  if (packed === null || (Array.isArray(packed) && packed.length === 1 && isTrace(packed[0]))) return null;
  if (!Array.isArray(packed) || packed.length !== 9) throw libraryError("invalid_request", "A call has no identity");
  const [requestId, requestType, service, version, userId, userIdVerified, deviceId, userRoles, trace] = packed;
  return { requestId, requestType, service, version, userId, userIdVerified, deviceId, userRoles, trace };
}

/** The trace in what {@link packIdentity} made. */
export function unpackTrace(packed: unknown): TraceContext | null {
  const last: unknown = Array.isArray(packed) ? packed.at(-1) : null;
  return isTrace(last) ? last : null;
}

function isTrace(value: unknown): value is TraceContext {
  return typeof (value as TraceContext | null | undefined)?.traceparent === "string";
}
