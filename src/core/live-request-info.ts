import { libraryError } from "./errors.ts";
import type { RequestIdentity, RequestInfo, TraceContext } from "./request-info.ts";

/**
 * The RequestInfo of a call that runs. Its signal is made when the function first looks at it: an AbortController for
 * every call would cost more than the call.
 */
export class LiveRequestInfo implements RequestInfo {
  readonly requestId: string;
  readonly requestType: string;
  readonly service: string;
  readonly version: string | null;
  readonly userId: string | null;
  readonly userIdVerified: boolean;
  readonly deviceId: string | null;
  readonly userRoles: readonly string[];
  readonly trace: TraceContext | null;
  #controller: AbortController | undefined;

  constructor(identity: RequestIdentity) {
    this.requestId = identity.requestId;
    this.requestType = identity.requestType;
    this.service = identity.service;
    this.version = identity.version;
    this.userId = identity.userId;
    this.userIdVerified = identity.userIdVerified;
    this.deviceId = identity.deviceId;
    this.userRoles = identity.userRoles;
    this.trace = identity.trace;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** Aborts the signal of a call; for who runs it, not for the function. */
  static abort(info: LiveRequestInfo, reason: string): void {
    info.#controller ??= new AbortController();
    info.#controller.abort(
      reason === "timeout"
        ? libraryError("timeout", "The call's timeout is over")
        : libraryError("cancelled", `Nobody waits for this call any more: ${reason}`),
    );
  }
}
