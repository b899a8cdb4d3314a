import type { Clock } from "../core/clock.ts";
import { type ErrorCode, GenApiError } from "../core/errors.ts";
import type { TraceContext } from "../core/request-info.ts";
import type { Caller, ReplyTo, RequestHandler } from "./caller.ts";
import { cancelled, type Failure, invalidRequest, refusal } from "./failure.ts";
import { encodeFailure, encodeSuccess, type Response } from "./response.ts";
import { RunningCalls } from "./running-calls.ts";

/** A request of the host program itself. It is trusted: the identity in it is taken as given. */
export interface HostRequest {
  /** The function's service. */
  readonly service: string;
  /** The function's name in it. */
  readonly requestType: string;
  /** Its arguments by name, checked as a client's are. @default {} */
  readonly args?: Readonly<Record<string, unknown>>;
  /** Which version of the function. @default null: the latest */
  readonly version?: string | null;
  /** What the Response, `requestInfo` and telemetry call it. @default "host-" and a number */
  readonly requestId?: string;
  /** Whose request it is, to permission and limits. @default null: nobody's */
  readonly userId?: string | null;
  /** The device that it comes from. @default null */
  readonly deviceId?: string | null;
  /** The roles of that user, for `checkPermission: {role}`. @default [] */
  readonly userRoles?: readonly string[];
  /** The trace that it continues. @default null */
  readonly trace?: TraceContext | null;
}

/** How long a host program waits. */
export interface HostCallOptions {
  /** Cancels the call. */
  readonly signal?: AbortSignal;
  /**
   * How long everything may take, milliseconds: queueing, hooks, every attempt and what is between them. Then the call
   * is answered `timeout`, and its function cancelled. @default none: each attempt has the function's own timeout
   */
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
    const payload = this.#payload(request);
    const requestId = payload.request_id;
    return new Promise((resolve) => {
      const { signal, timeoutMs } = options;
      const caller = callerOf(request);
      let timer: unknown;
      const finish = (response: Response<Result>) => {
        if (timer !== undefined) this.#clock.clearTimeout(timer);
        signal?.removeEventListener("abort", cancel);
        resolve(response);
      };
      /**
       * Answers at once, whatever an after hook does yet, and lets the call end as what it was answered. To its function
       * it is cancelled, whatever the failure: that its host is in a hurry must not open the function's circuit.
       */
      const giveUp = (failure: Failure) => {
        finish(JSON.parse(encodeFailure(requestId, failure, false)));
        caller.calls.abortAll("cancelled", failure);
      };
      const take = (encoded: string) => {
        const response = JSON.parse(encoded) as Response<Result>;
        if (response.has_more) {
          const { service, requestType } = request;
          giveUp(invalidRequest(`${service}.${requestType} is a stream: take it with stream()`));
        } else if (!response.async) {
          finish(response);
        }
        // Else an async request was accepted: its result follows.
      };
      const cancel = () => caller.calls.abortAll("cancelled");
      if (signal?.aborted) {
        giveUp(cancelled);
        return;
      }
      signal?.addEventListener("abort", cancel, { once: true });
      if (timeoutMs !== undefined) {
        timer = this.#clock.setTimeout(() => {
          giveUp(timedOut(timeoutMs));
        }, timeoutMs);
      }
      this.#handler.handle(payload, 0, caller, replyToHost(requestId, take));
    });
  }

  /**
   * @returns the function's result
   * @throws GenApiError with the Response's `error_code` as code
   */
  async call<Result = unknown>(request: HostRequest, options?: HostCallOptions): Promise<Result> {
    return resultOf(await this.request<Result>(request, options));
  }

  /**
   * The chunks of a stream, as fast as they are taken: the function runs a bounded number ahead. Leaving the loop ends
   * the stream. Of a function that is no stream: its result; nothing where it is of type `none`.
   *
   * @throws GenApiError as {@link call}
   */
  async *stream<Chunk = unknown>(
    request: HostRequest,
    { signal, timeoutMs }: HostCallOptions = {},
  ): AsyncGenerator<Chunk, void, void> {
    if (signal?.aborted) throw new GenApiError("cancelled", cancelled.message, { code: "cancelled", canRetry: true });
    const caller = callerOf(request);
    const inbox = new Inbox<Chunk>();
    const cancel = () => caller.calls.abortAll("cancelled");
    signal?.addEventListener("abort", cancel, { once: true });
    let timer: unknown;
    if (timeoutMs !== undefined) {
      const end = () => caller.calls.abortAll("cancelled", timedOut(timeoutMs));
      timer = this.#clock.setTimeout(end, timeoutMs);
    }
    try {
      this.#handler.handle(this.#payload(request), 0, caller, inbox);
      let hasBegun = false;
      for (let response = await inbox.next(); response !== null; response = await inbox.next()) {
        const result = resultOf(response);
        if (response.has_more) {
          // The first says only that the stream begins.
          if (hasBegun) yield result;
          hasBegun = true;
        } else if (hasBegun) {
          if (result !== null) yield result;
          return;
        } else if (!response.async) {
          // Of a function that is no stream: all there is.
          yield result;
          return;
        }
        // Else an async request was accepted: its result follows.
      }
    } finally {
      if (timer !== undefined) this.#clock.clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
      cancel();
    }
  }

  #payload(request: HostRequest) {
    return {
      service: request.service,
      request_type: request.requestType,
      request_id: request.requestId ?? `host-${++this.#count}`,
      args: request.args,
      version: request.version,
      trace: request.trace,
    };
  }
}

function timedOut(timeoutMs: number): Failure {
  return refusal("timeout", `Request timed out after ${timeoutMs} ms`, true);
}

/** @throws GenApiError with the Response's `error_code` as code */
function resultOf<Result>(response: Response<Result>): Result {
  if (response.success) return response.result as Result;
  const code = (response.error_code ?? "internal") as ErrorCode;
  throw new GenApiError(response.reason ?? code, response.error ?? "", {
    code,
    canRetry: response.can_retry,
    ...(response.retry_after_ms === undefined ? {} : { retryAfterMs: response.retry_after_ms }),
  });
}

/** Responses that the host program has not taken yet. */
class Inbox<Result> implements ReplyTo {
  readonly #responses: (Response<Result> | null)[] = [];
  #taker: ((response: Response<Result> | null) => void) | null = null;
  #whenReady: (() => void)[] = [];

  get isReady(): boolean {
    return this.#responses.length === 0;
  }

  whenReady(run: () => void): void {
    this.#whenReady.push(run);
  }

  answer(response: string): void {
    this.push(response);
  }

  push(encoded: string): void {
    this.#add(JSON.parse(encoded) as Response<Result>);
  }

  #add(response: Response<Result> | null): void {
    const taker = this.#taker;
    if (taker === null) {
      this.#responses.push(response);
    } else {
      this.#taker = null;
      taker(response);
    }
  }

  /** A request of type `none` was accepted. */
  reply(): void {
    this.#add(null);
  }

  /** @returns null where no Response will come */
  next(): Promise<Response<Result> | null> {
    const response = this.#responses.shift();
    if (response !== undefined) {
      if (this.isReady) for (const run of this.#whenReady.splice(0)) run();
      return Promise.resolve(response);
    }
    return new Promise((resolve) => {
      this.#taker = resolve;
    });
  }
}

function callerOf({ userId = null, deviceId = null, userRoles = [] }: HostRequest): Caller {
  return {
    // An empty one is nobody, as on a connection.
    userId: userId === "" ? null : userId,
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
