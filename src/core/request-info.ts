import type { ResponseStream } from "./response-stream.ts";

/** Who asked for what, as plain data: it crosses threads and nodes. */
export interface RequestIdentity {
  /** The id that the client gave it. */
  readonly requestId: string;
  /** The function's name in its service. */
  readonly requestType: string;
  /** The function's service. */
  readonly service: string;
  /** The version that was called; null: the unversioned one. */
  readonly version: string | null;
  /** From the connection, or, with `overrideUserId: false`, from the payload: see `userIdVerified`. */
  readonly userId: string | null;
  /** False when `userId` was taken from the payload and nobody vouches for it. */
  readonly userIdVerified: boolean;
  /** The device, from where `userId` is from. */
  readonly deviceId: string | null;
  /** The roles of the connection's user. */
  readonly userRoles: readonly string[];
  /** W3C trace context of the caller, or null. */
  readonly trace: TraceContext | null;
}

/** The two headers of W3C Trace Context. */
export interface TraceContext {
  /** Which trace and span: `00-<trace id>-<span id>-<flags>`. */
  readonly traceparent: string;
  /** What tracing systems add to it. */
  readonly tracestate?: string;
}

/** The last argument of a function whose FunConfig has `requestInfo: true`. */
export interface RequestInfo extends RequestIdentity {
  /** Aborts when the call's timeout is over, the client cancels or disconnects, or the gateway stops. */
  readonly signal: AbortSignal;
  /** With a `stream` FunConfig: sends the chunks, for a function that is no generator. */
  readonly stream?: ResponseStream;
}
