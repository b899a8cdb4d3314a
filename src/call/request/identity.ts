import type { FunConfig } from "../../config/fun-config.ts";
import type { RequestIdentity, TraceContext } from "../../core/request-info.ts";
import type { Caller } from "./caller.ts";
import type { Request } from "./request.ts";

/**
 * The identity of a request, for functions with `requestInfo`. If the channel does not override the user id, the
 * payload's claim is passed on, marked as unverified.
 *
 * @param deadline when its caller stops waiting, milliseconds since 1970
 * @param trace the trace for its work
 */
export function identityOf(
  request: Request,
  caller: Caller,
  config: FunConfig,
  deadline: number | null,
  trace: TraceContext | null,
): RequestIdentity {
  const claimed = caller.overrideUserId ? null : request.claimedUserId;
  return {
    requestId: request.requestId,
    requestType: request.requestType,
    service: request.service,
    version: config.version,
    userId: claimed ?? caller.userId,
    userIdVerified: claimed === null,
    deviceId: caller.overrideUserId ? caller.deviceId : (request.claimedDeviceId ?? caller.deviceId),
    userRoles: caller.userRoles,
    topic: caller.topic,
    ipAddress: caller.ipAddress,
    claims: caller.claims,
    deadline,
    trace,
  };
}
