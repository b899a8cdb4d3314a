import type { ResponseStream } from "./response-stream.ts";

/**
 * What the host vouches for about a caller beyond user, roles and device, such as the tenant in a verified token: JSON
 * values by name, never from a payload.
 */
export type Claims = Readonly<Record<string, unknown>>;

/** Who asked for what, as plain data that can cross threads and nodes. */
export interface RequestIdentity {
  /** The request's id, chosen by the client. */
  readonly requestId: string;
  /** The function's name in its service. */
  readonly requestType: string;
  /** The function's service. */
  readonly service: string;
  /** The version that runs; null: the unversioned one. */
  readonly version: string | null;
  /** From the connection, or, with `overrideUserId: false`, from the payload: see `userIdVerified`. */
  readonly userId: string | null;
  /** False if `userId` came from the payload, unverified. */
  readonly userIdVerified: boolean;
  /** The device, from the same source as `userId`. */
  readonly deviceId: string | null;
  /** The roles of the connection's user. */
  readonly userRoles: readonly string[];
  /** The topic of the channel that the request came on; null for the host's own. */
  readonly topic: string | null;
  /** The client's address, found according to the option `trustProxy`; null if it is unknown. */
  readonly ipAddress: string | null;
  /** What `connect` and the channel's `join` returned as `claims`; `{}` if nothing. */
  readonly claims: Claims;
  /**
   * When the caller stops waiting, milliseconds since 1970: the end of the request's own `timeout_ms` or of this
   * attempt's time limit, whichever is earlier; null without either. For functions that pass it on.
   */
  readonly deadline: number | null;
  /** The caller's W3C trace context, or null. */
  readonly trace: TraceContext | null;
}

/** How a function calls another. */
export interface NestedCallOptions {
  /** The version of the function. @default null: the latest */
  readonly version?: string | null;
  /** How long to wait at most, milliseconds, from 1 on. @default null: as long as its own caller waits */
  readonly timeoutMs?: number | null;
  /** Cancels the call. @default null */
  readonly signal?: AbortSignal | null;
}

/** The two headers of W3C Trace Context. */
export interface TraceContext {
  /** Identifies trace and span: `00-<trace id>-<span id>-<flags>`. */
  readonly traceparent: string;
  /** Additional data of tracing systems. */
  readonly tracestate?: string;
}

/** The last argument of a function whose FunConfig has `requestInfo: true`. */
export interface RequestInfo extends RequestIdentity {
  /** Aborts when the call times out, the client cancels or disconnects, or the gateway stops. */
  readonly signal: AbortSignal;
  /**
   * Calls another function, in the name of this function's caller: with its identity, claims and trace, and within the
   * time that is left. Permission and arguments are checked as for a client. At most 16 calls run at a time; the next
   * ones wait for these. A call ends with the function that made it.
   *
   * @returns the function's result; null for type `none`, once it was accepted
   * @throws GenApiError that a client would get; `cancelled` when this function is over
   */
  call<Result = unknown>(
    service: string,
    requestType: string,
    args?: Readonly<Record<string, unknown>>,
    options?: NestedCallOptions,
  ): Promise<Result>;
  /**
   * The chunks of another function's stream, as fast as they are taken; leaving the loop ends the stream. A function
   * that does not stream yields its result. At most 16 streams at a time, and otherwise as {@link call}.
   */
  callStream<Chunk = unknown>(
    service: string,
    requestType: string,
    args?: Readonly<Record<string, unknown>>,
    options?: NestedCallOptions,
  ): AsyncGenerator<Chunk, void, void>;
  /** Sends the chunks of a `stream` function that is not a generator. */
  readonly stream?: ResponseStream;
}
