import type { Caller } from "./caller.ts";
import type { CompiledFunction } from "./compile-function.ts";
import type { Request } from "./request.ts";

/**
 * A request as hooks and permission callbacks see it. A `beforeExecute` hook may return a changed one; its `args` are
 * taken over, who asks and what for stay as they are.
 */
export interface HookRequest {
  /** The id that the client gave it. */
  readonly requestId: string;
  /** The function's name in its service. */
  readonly requestType: string;
  /** The function's service. */
  readonly service: string;
  /** The version that answers, null for the unversioned one. */
  readonly version: string | null;
  /** As the client sent them: not validated yet. */
  readonly args: Readonly<Record<string, unknown>>;
  /** Whose connection it is; null: nobody's. */
  readonly userId: string | null;
  /** The connection's device, as `connect` said. */
  readonly deviceId: string | null;
  /** The roles of the connection's user. */
  readonly userRoles: readonly string[];
}

/** Shows a request to a hook. */
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
  };
}

/** What a before hook changed of a request, or null when that is no request. */
export function acceptHookRequest(original: HookRequest, value: unknown): HookRequest | null {
  if (!isMap(value) || !isMap(value.args)) return null;
  return { ...original, args: value.args };
}

/** Whether `value` is an object that is no list. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
