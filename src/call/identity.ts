import type { FunConfig } from "../config/fun-config.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import type { Caller } from "./caller.ts";
import type { Request } from "./request.ts";

/**
 * Who asks for what, as a function with `requestInfo` hears it. Where the channel does not override the user id, what
 * the payload claims is passed on, marked as unverified.
 */
export function identityOf(request: Request, caller: Caller, config: FunConfig): RequestIdentity {
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
    trace: caller.trace,
  };
}
