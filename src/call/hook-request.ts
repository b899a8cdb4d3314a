import { isMap } from "../core/is-map.ts";
import type { Claims } from "../core/request-info.ts";
import type { CompiledFunction } from "./functions/compile-function.ts";
import type { Caller } from "./request/caller.ts";
import type { Request } from "./request/request.ts";

/**
 * A request as hooks and permission callbacks see it. A `beforeExecute` hook may return a changed copy: the gateway
 * takes its `args` and ignores every other change.
 */
export interface HookRequest {
  /** The request's id, chosen by the client. */
  readonly requestId: string;
  /** The function's name in its service. */
  readonly requestType: string;
  /** The function's service. */
  readonly service: string;
  /** The version that will run, null for the unversioned one. */
  readonly version: string | null;
  /** As the client sent them, not yet validated. */
  readonly args: Readonly<Record<string, unknown>>;
  /** The user of the connection; null for an anonymous one. */
  readonly userId: string | null;
  /** The device of the connection, as `connect` returned it. */
  readonly deviceId: string | null;
  /** The roles of the connection's user. */
  readonly userRoles: readonly string[];
  /** The topic of the channel that the request came on; null for the host's own. */
  readonly topic: string | null;
  /** The client's address, found according to the option `trustProxy`; null if it is unknown. */
  readonly ipAddress: string | null;
  /** What `connect` and the channel's `join` returned as `claims`; `{}` if nothing. */
  readonly claims: Claims;
}

/** The view of a request that a hook gets. */
export function hookRequestOf(request: Request, caller: Caller, { config }: CompiledFunction): HookRequest {
  return {
    requestId: request.requestId,
    requestType: request.requestType,
    service: request.service,
    version: config.version,
    args: request.args,
    userId: caller.userId,
    deviceId: caller.deviceId,
    userRoles: caller.userRoles,
    topic: caller.topic,
    ipAddress: caller.ipAddress,
    claims: caller.claims,
  };
}

/** The request with the changes a before hook made, or null if the hook returned no request. */
export function acceptHookRequest(original: HookRequest, value: unknown): HookRequest | null {
  if (!isMap(value) || !isMap(value.args)) return null;
  return { ...original, args: value.args };
}
