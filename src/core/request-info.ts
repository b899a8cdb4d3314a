import type { ResponseStream } from "./response-stream.ts";

/** Who asked for what, as plain data: it crosses threads and nodes. */
export interface RequestIdentity {
  readonly requestId: string;
  readonly requestType: string;
  readonly service: string;
  readonly version: string | null;
  /** From the connection, or, with `overrideUserId: false`, from the payload: see `userIdVerified`. */
  readonly userId: string | null;
  /** False when `userId` was taken from the payload and nobody vouches for it. */
  readonly userIdVerified: boolean;
  readonly deviceId: string | null;
  readonly userRoles: readonly string[];
  /** W3C trace context of the caller, or null. */
  readonly trace: TraceContext | null;
}

/** The two headers of W3C Trace Context. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** The last argument of a function whose FunConfig has `requestInfo: true`. */
export interface RequestInfo extends RequestIdentity {
  /** Aborts when the call's timeout is over, the client cancels or disconnects, or the gateway stops. */
  readonly signal: AbortSignal;
  /** With a `stream` FunConfig: sends the chunks, for a function that is no generator. */
  readonly stream?: ResponseStream;
}
