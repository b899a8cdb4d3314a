import type { Claims, RequestIdentity, TraceContext } from "../../core/request-info.ts";

/**
 * A caller's identity on its way to a thread: the values without their names, and null for what is empty. Cloning a list
 * of texts costs half as much as cloning the object.
 */
export type IdentityList = readonly unknown[];

export function listIdentity(identity: RequestIdentity): IdentityList {
  const { userRoles, claims } = identity;
  return [
    identity.requestId,
    identity.requestType,
    identity.service,
    identity.version,
    identity.userId,
    identity.userIdVerified,
    identity.deviceId,
    userRoles.length === 0 ? null : userRoles,
    identity.topic,
    identity.ipAddress,
    isEmpty(claims) ? null : claims,
    identity.deadline,
    identity.trace,
  ];
}

/** The identity in the result of {@link listIdentity}. Reads it by index: on a thread, user code may replace iterators. */
export function readIdentity(list: IdentityList): RequestIdentity {
  return {
    requestId: list[0] as string,
    requestType: list[1] as string,
    service: list[2] as string,
    version: list[3] as string | null,
    userId: list[4] as string | null,
    userIdVerified: list[5] as boolean,
    deviceId: list[6] as string | null,
    userRoles: (list[7] as readonly string[] | null) ?? [],
    topic: list[8] as string | null,
    ipAddress: list[9] as string | null,
    claims: (list[10] as Claims | null) ?? {},
    deadline: list[11] as number | null,
    trace: list[12] as TraceContext | null,
  };
}

function isEmpty(claims: Claims): boolean {
  for (const _ in claims) return false;
  return true;
}
