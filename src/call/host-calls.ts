import type { Clock } from "../core/clock.ts";
import { type ErrorCode, GenApiError } from "../core/errors.ts";
import type { Caller, ReplyTo, RequestHandler } from "./caller.ts";
import { cancelled, refusal } from "./failure.ts";
import { encodeFailure, encodeSuccess, type Response } from "./response.ts";
import { RunningCalls } from "./running-calls.ts";

/** A request of the host program itself. It is trusted: the identity in it is taken as given. */
export interface HostRequest {
  readonly service: string;
  readonly requestType: string;
  /** @default {} */
  readonly args?: Readonly<Record<string, unknown>>;
  /** @default null: the latest */
  readonly version?: string | null;
  /** @default "host-" and a number */
  readonly requestId?: string;
  /** @default null */
  readonly userId?: string | null;
  /** @default null */
  readonly deviceId?: string | null;
  /** @default [] */
  readonly userRoles?: readonly string[];
}

/** How long a host program waits. */
export interface HostCallOptions {
  /** Cancels the call. */
  readonly signal?: AbortSignal;
  /** Milliseconds for everything, retries included. @default the function's own timeout */
  readonly timeoutMs?: number;
}

/** Calls by the host program, through the same pipeline that clients' requests take. */
export class HostCalls {
  readonly #handler: RequestHandler;
  readonly #clock: Clock;
  #count = 0;

  constructor(handler: RequestHandler, clock: Clock) {
    this.#handler = handler;
    this.#clock = clock;
  }

  /** @returns the Response as a client would get it; never rejects */
  request<Result = unknown>(request: HostRequest, options: HostCallOptions = {}): Promise<Response<Result>> {
    const requestId = request.requestId ?? `host-${++this.#count}`;
    const payload = {
      service: request.service,
      request_type: request.requestType,
      request_id: requestId,
      args: request.args,
      version: request.version,
    };
    return new Promise((resolve) => {
      const { signal, timeoutMs } = options;
      const caller = callerOf(request);
      let timer: unknown;
      const finish = (encoded: string) => {
        if (timer !== undefined) this.#clock.clearTimeout(timer);
        signal?.removeEventListener("abort", cancel);
        resolve(JSON.parse(encoded) as Response<Result>);
      };
      const cancel = () => caller.calls.abortAll("cancelled");
      if (signal?.aborted) {
        finish(encodeFailure(requestId, cancelled, false));
        return;
      }
      signal?.addEventListener("abort", cancel, { once: true });
      if (timeoutMs !== undefined) {
        timer = this.#clock.setTimeout(() => {
          const failure = refusal("timeout", `Request timed out after ${timeoutMs} ms`, true);
          finish(encodeFailure(requestId, failure, false));
          caller.calls.abortAll("cancelled");
        }, timeoutMs);
      }
      this.#handler.handle(payload, 0, caller, replyToHost(requestId, finish));
    });
  }

  /**
   * @returns the function's result
   * @throws GenApiError with the Response's `error_code` as code
   */
  async call<Result = unknown>(request: HostRequest, options?: HostCallOptions): Promise<Result> {
    const response = await this.request<Result>(request, options);
    if (response.success) return response.result as Result;
    const code = (response.error_code ?? "internal") as ErrorCode;
    throw new GenApiError(response.reason ?? code, response.error ?? "", {
      code,
      canRetry: response.can_retry,
      ...(response.retry_after_ms === undefined ? {} : { retryAfterMs: response.retry_after_ms }),
    });
  }
}

function callerOf({ userId = null, deviceId = null, userRoles = [] }: HostRequest): Caller {
  return {
    userId,
    deviceId,
    userRoles,
    ipAddress: null,
    trace: null,
    overrideUserId: true,
    requireVerifiedUserId: false,
    calls: new RunningCalls(),
  };
}

function replyToHost(requestId: string, finish: (encoded: string) => void): ReplyTo {
  return {
    answer: finish,
    push: finish,
    isReady: true,
    whenReady: (run) => run(),
    // An accepted request of type `none`: there will be no Response, so the host gets one that says it was accepted.
    reply: () => finish(encodeSuccess(requestId, "null")),
  };
}
