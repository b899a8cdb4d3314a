import { isGenApiError, messageOf, toError } from "../../core/errors.ts";
import { hostShare } from "../../core/fair/share.ts";
import { shown } from "../../core/faults.ts";
import { hasAborted, isAbortSignal, listen, stopListening } from "../../core/foreign/abort-signal.ts";
import type { Claims, TraceContext } from "../../core/request-info.ts";
import type { Caller, ReplyTo, RequestHandler } from "../request/caller.ts";
import { cancelled, errorOfFailure, type Failure, invalidRequest, refusal } from "../request/failure.ts";
import { encodeFailure, encodeSuccess, errorOfResponse, type Response } from "../request/response.ts";
import { RunningCalls } from "../request/running-calls.ts";
import { hostAddress } from "./host-address.ts";
import { hostArguments } from "./host-arguments.ts";
import { hostClaims } from "./host-claims.ts";
import { HostStream } from "./host-stream.ts";

/** A request of the host program itself. It is trusted: the gateway takes its identity as given. */
export interface HostRequest {
  /** The function's service. */
  readonly service: string;
  /** The function's name in it. */
  readonly requestType: string;
  /**
   * Arguments by name. They are checked like a client's and read as if they had come as JSON: undefined values count as
   * left out, a Date becomes ISO text. @default {}
   */
  readonly args?: Readonly<Record<string, unknown>>;
  /** The version of the function. @default null: the latest */
  readonly version?: string | null;
  /** The id shown in the Response, `requestInfo` and telemetry. @default "host-" and a number */
  readonly requestId?: string;
  /** The user, for permission and limits. @default null: anonymous */
  readonly userId?: string | null;
  /** The user's device. @default null */
  readonly deviceId?: string | null;
  /** The user's roles, for `checkPermission: {role}`. @default [] */
  readonly userRoles?: readonly string[];
  /** What else you vouch for about the user, at most 8 KiB of JSON. @default {} */
  readonly claims?: Claims | null;
  /**
   * The client's address, for limits by `"ipAddress"`; IPv6 in any notation. Text that is not an address fails with
   * `invalid_request`. @default null: limits by address do not apply
   */
  readonly ipAddress?: string | null;
  /** The trace that this request continues. @default null */
  readonly trace?: TraceContext | null;
  /**
   * For `stream`: how many chunks the function may run ahead of the loop that takes them, from 1 to 1 024.
   * @default null: at most 32, and 1 MiB of text
   */
  readonly window?: number | null;
  /**
   * Requests of a user with the same key for the same function are one call, which is executed at most once; those without
   * a user id share one room of keys. 1 to 128 bytes. Not for streams. @default null
   */
  readonly idempotencyKey?: string | null;
}

/** How long a host program waits for a call. */
export interface HostCallOptions {
  /** Cancels the call. */
  readonly signal?: AbortSignal;
  /**
   * Time limit of the whole call, milliseconds: queueing, hooks, every attempt and the pauses between them. When it
   * passes, the call fails with `timeout` and its function is cancelled. @default none: each attempt has the function's
   * own timeout
   */
  readonly timeoutMs?: number;
}

/** Calls from the host program, through the same pipeline as clients' requests. */
export class HostCalls {
  readonly #handler: RequestHandler;
  #count = 0;

  constructor(handler: RequestHandler) {
    this.#handler = handler;
  }

  /** @returns the Response as a client would get it; never rejects */
  request<Result = unknown>(request: HostRequest, options?: HostCallOptions): Promise<Response<Result>> {
    return new Promise((resolve) => this.#ask<Result>(request, options, resolve));
  }

  /**
   * @returns the function's result
   * @throws GenApiError with the Response's `error_code` as code, and the function's own error as cause
   */
  call<Result = unknown>(request: HostRequest, options?: HostCallOptions): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#ask<Result>(request, options, (response, failure) => {
        if (response.success) resolve(response.result as Result);
        else reject(errorOfResponse(response, failure));
      });
    });
  }

  /** @param settle called once, with the Response and details of a failure that the Response leaves out */
  #ask<Result>(
    request: HostRequest,
    options: HostCallOptions | undefined,
    settle: (response: Response<Result>, failure: Failure | null) => void,
  ): void {
    const read = this.#read(request, options);
    if ("code" in read) {
      settle(JSON.parse(encodeFailure("", read, false)), read);
      return;
    }
    const { payload, caller, signal } = read;
    const requestId = payload.request_id;
    const finish = (response: Response<Result>, failure: Failure | null) => {
      if (signal !== null) stopListening(signal, cancel);
      settle(response, failure);
    };
    /** Answers at once, and ends the call with this failure. */
    const giveUp = (failure: Failure) => {
      finish(JSON.parse(encodeFailure(requestId, failure, false)), failure);
      caller.calls.abortAll("cancelled", failure);
    };
    const take = (encoded: string, failure: Failure | null) => {
      const response = JSON.parse(encoded) as Response<Result>;
      if (response.has_more) {
        const { service, request_type } = payload;
        giveUp(invalidRequest(`${service}.${request_type} is a stream: take it with stream()`));
      } else if (!response.async) {
        finish(response, failure);
      }
      // Otherwise an async request was accepted, and its result follows.
    };
    const cancel = () => caller.calls.abortAll("cancelled");
    if (signal !== null) {
      if (hasAborted(signal)) {
        giveUp(cancelled);
        return;
      }
      listen(signal, cancel);
    }
    this.#handler.handle(payload, 0, caller, replyToHost(requestId, take), 0);
  }

  /**
   * The chunks of a stream, as fast as the caller takes them: the function runs ahead by a bounded number. Leaving the
   * loop ends the stream; so does `return` at any time, even while waiting for a chunk. A function that does not stream
   * yields its result, one of type `none` yields nothing.
   *
   * @throws GenApiError as {@link call}
   */
  stream<Chunk = unknown>(request: HostRequest, options?: HostCallOptions): AsyncGenerator<Chunk, void, void> {
    const read = this.#read(request, options);
    if ("code" in read) return failedStream(read);
    const { payload, caller, signal } = read;
    const cancel = () => caller.calls.abortAll("cancelled");
    return new HostStream<Chunk>({
      start: (replyTo) => {
        if (signal !== null) {
          if (hasAborted(signal)) throw errorOfFailure(cancelled);
          listen(signal, cancel);
        }
        this.#handler.handle(payload, 0, caller, replyTo, 0);
      },
      taken: (chunks) => {
        if (payload.window) caller.calls.acknowledge(payload.request_id, chunks);
      },
      end: () => {
        if (signal !== null) stopListening(signal, cancel);
        cancel();
      },
    });
  }

  /** Everything a call needs, or what is wrong with the request. Never throws. */
  #read(request: unknown, options: unknown = {}): AskedByHost | Failure {
    if (!isObject(request)) return invalidRequest(`a request must be an object, got ${shown(request)}`);
    if (!isObject(options)) return wrongOption("options", "an object", options);
    try {
      const { signal = null, timeoutMs } = options as { signal?: unknown; timeoutMs?: unknown };
      if (signal !== null && !isAbortSignal(signal)) return wrongOption("signal", "an AbortSignal", signal);
      if (timeoutMs !== undefined && !isDuration(timeoutMs)) return wrongOption("timeoutMs", duration, timeoutMs);
      const caller = callerOf(request as unknown as HostRequest);
      if ("code" in caller) return caller;
      return { payload: this.#payload(request as unknown as HostRequest, timeoutMs), caller, signal };
    } catch (thrown) {
      if (isGenApiError(thrown)) return invalidRequest(thrown.message);
      return invalidRequest(`a request must be readable: ${messageOf(toError(thrown))}`);
    }
  }

  #payload(request: HostRequest, timeoutMs: number | undefined) {
    return {
      service: request.service,
      request_type: request.requestType,
      request_id: request.requestId ?? `host-${++this.#count}`,
      args: hostArguments(request.args),
      version: request.version,
      // Requests wait at least 1 ms.
      timeout_ms: timeoutMs === undefined ? null : Math.max(1, timeoutMs),
      trace: request.trace,
      window: request.window,
      idempotency_key: request.idempotencyKey,
    };
  }
}

/** A host's call, its fields read exactly once. */
interface AskedByHost {
  readonly payload: Readonly<Record<"service" | "request_type" | "request_id", string>> & { readonly window: unknown };
  readonly caller: Caller;
  readonly signal: AbortSignal | null;
}

const duration = "a number of milliseconds, 0 or more";

// A time longer than timers can wait, such as Infinity, is in effect no timeout.
function isDuration(value: unknown): value is number {
  return typeof value === "number" && value >= 0;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function wrongOption(name: string, allowed: string, came: unknown): Failure {
  return refusal("invalid_option", `${name} must be ${allowed}, got ${shown(came)}`);
}

/** A stream that fails when its first chunk is requested. */
function failedStream<Chunk>(failure: Failure): AsyncGenerator<Chunk, void, void> {
  return new HostStream<Chunk>({
    start: () => {
      throw errorOfFailure(failure);
    },
    taken: () => undefined,
    end: () => undefined,
  });
}

/** The caller that the request describes, or what is wrong with the description. */
function callerOf({
  userId = null,
  deviceId = null,
  userRoles = [],
  claims,
  ipAddress,
}: HostRequest): Caller | Failure {
  const address = hostAddress(ipAddress);
  if (address !== null && typeof address !== "string") return address;
  const vouched = hostClaims(claims);
  if (isGenApiError(vouched)) return invalidRequest(vouched.message);
  return {
    // As on a connection, an empty id means anonymous.
    userId: userId === "" ? null : userId,
    deviceId,
    userRoles,
    ipAddress: address,
    topic: null,
    claims: vouched,
    trace: null,
    depth: 0,
    share: hostShare,
    overrideUserId: true,
    requireVerifiedUserId: false,
    calls: new RunningCalls(),
  };
}

function replyToHost(requestId: string, finish: (encoded: string, failure: Failure | null) => void): ReplyTo {
  return {
    answer: (response, _status, _reply, failure = null) => finish(response, failure),
    push: (response, failure = null) => finish(response, failure),
    isReady: true,
    whenReady: (run) => run(),
    // An accepted request of type `none` never gets a Response, so the host gets one that says it was accepted.
    reply: () => finish(encodeSuccess(requestId, "null"), null),
  };
}
