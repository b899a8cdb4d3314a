import type { FunConfig } from "../config/fun-config.ts";
import type { RequestIdentity, TraceContext } from "../core/request-info.ts";
import type { Caller } from "./caller.ts";
import type { Request } from "./request.ts";

/**
 * Who asks for what, as a function with `requestInfo` hears it. Where the channel does not override the user id, what
 * the payload claims is passed on, marked as unverified.
 *
 * @param trace the trace that what it does belongs to
 */
export function identityOf(
  request: Request,
  caller: Caller,
  config: FunConfig,
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
    trace,
  };
}
