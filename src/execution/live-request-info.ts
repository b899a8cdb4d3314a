import { libraryError } from "../core/errors.ts";
import { builtIns } from "../core/foreign/built-ins.ts";
import type { Claims, NestedCallOptions, RequestIdentity, RequestInfo, TraceContext } from "../core/request-info.ts";
import type { CallCarrier } from "./call-carrier.ts";
import { FunctionCalls } from "./function-calls.ts";

/**
 * The RequestInfo of a running call. Its signal is created when the function first reads it: an AbortController for
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
  readonly topic: string | null;
  readonly ipAddress: string | null;
  readonly claims: Claims;
  readonly deadline: number | null;
  readonly trace: TraceContext | null;
  readonly #carrier: Partial<CallCarrier>;
  #controller: AbortController | undefined;
  /** Created for the first call. */
  #calls: FunctionCalls | undefined;
  #isOver = false;

  /** @param carrier takes the calls that the function makes */
  constructor(identity: RequestIdentity, carrier: Partial<CallCarrier>) {
    this.#carrier = carrier;
    this.requestId = identity.requestId;
    this.requestType = identity.requestType;
    this.service = identity.service;
    this.version = identity.version;
    this.userId = identity.userId;
    this.userIdVerified = identity.userIdVerified;
    this.deviceId = identity.deviceId;
    this.userRoles = identity.userRoles;
    this.topic = identity.topic;
    this.ipAddress = identity.ipAddress;
    this.claims = identity.claims;
    this.deadline = identity.deadline;
    this.trace = identity.trace;
  }

  get signal(): AbortSignal {
    this.#controller ??= new builtIns.AbortController();
    return this.#controller.signal;
  }

  // Getters, so that a function may take them out of its RequestInfo: `(args, { call }) => call(…)`.
  get call(): RequestInfo["call"] {
    return <Result>(service: string, requestType: string, args?: object, options?: NestedCallOptions) =>
      this.#functionCalls.call(service, requestType, args, options) as Promise<Result>;
  }

  get callStream(): RequestInfo["callStream"] {
    return <Chunk>(service: string, requestType: string, args?: object, options?: NestedCallOptions) =>
      this.#functionCalls.callStream(service, requestType, args, options) as AsyncGenerator<Chunk, void, void>;
  }

  get #functionCalls(): FunctionCalls {
    if (this.#calls !== undefined) return this.#calls;
    this.#calls = new FunctionCalls(this.#carrier);
    if (this.#isOver) this.#calls.end();
    return this.#calls;
  }

  /** The function is over, and with it the calls that it made; for the code that runs it, as {@link abort}. */
  static end(info: LiveRequestInfo): void {
    info.#isOver = true;
    info.#calls?.end();
  }

  /** Aborts the signal of a call; for the code that runs the call, not for the function. */
  static abort(info: LiveRequestInfo, reason: string): void {
    info.#controller ??= new builtIns.AbortController();
    info.#controller.abort(
      reason === "timeout"
        ? libraryError("timeout", "The call's timeout has passed")
        : libraryError("cancelled", `The caller no longer waits: ${reason}`),
    );
    LiveRequestInfo.end(info);
  }
}
