import { libraryError } from "../../core/errors.ts";
import type { RequestIdentity, TraceContext } from "../../core/request-info.ts";

/**
 * A call's identity on its way to a node, without its keys, which would be most of it; only its trace if the function
 * did not ask for its RequestInfo. Its deadline travels as the time that is left: the clocks of two machines differ.
 *
 * @param now milliseconds since 1970
 */
export function packIdentity(
  identity: RequestIdentity | null,
  trace: TraceContext | null,
  now: number,
): readonly unknown[] | null {
  if (identity === null) return trace === null ? null : [trace];
  const { requestId, requestType, service, version, userId, userIdVerified, deviceId, userRoles } = identity;
  const { topic, ipAddress, claims, deadline } = identity;
  const leftMs = deadline === null ? null : deadline - now;
  // biome-ignore format: in the order in which unpackIdentity reads them
  return [requestId, requestType, service, version, userId, userIdVerified, deviceId, userRoles, topic, ipAddress, claims, leftMs, identity.trace];
}

/**
 * The identity in the result of {@link packIdentity}; null if there is none.
 *
 * @param now milliseconds since 1970, here
 * @throws GenApiError `invalid_request` for anything else
 */
export function unpackIdentity(packed: unknown, now: number): RequestIdentity | null {
  if (packed === null || (Array.isArray(packed) && packed.length === 1 && isTrace(packed[0]))) return null;
  if (!Array.isArray(packed) || packed.length !== 13) throw libraryError("invalid_request", "A call has no identity");
  // biome-ignore format: in the order in which packIdentity wrote them
  const [requestId, requestType, service, version, userId, userIdVerified, deviceId, userRoles, topic, ipAddress, claims, leftMs, trace] = packed;
  const deadline = typeof leftMs === "number" ? now + leftMs : null;
  // biome-ignore format: likewise
  return { requestId, requestType, service, version, userId, userIdVerified, deviceId, userRoles, topic, ipAddress, claims, deadline, trace };
}

/** The trace in the result of {@link packIdentity}. */
export function unpackTrace(packed: unknown): TraceContext | null {
  const last: unknown = Array.isArray(packed) ? packed.at(-1) : null;
  return isTrace(last) ? last : null;
}

function isTrace(value: unknown): value is TraceContext {
  return typeof (value as TraceContext | null | undefined)?.traceparent === "string";
}
