import type { Response } from "../call/request/response.ts";
import { retryDelay } from "./backoff.ts";
import { type CallTarget, keyOf, requestPayload } from "./call-target.ts";
import { cancelled, watchEnding } from "./ending.ts";
import { errorOfResponse, GenApiError } from "./gen-api-error.ts";
import type { CallOptions } from "./options.ts";
import type { Frame, Requester, Requests } from "./requests.ts";

// With more, the request itself may be what costs the connection.
const maxLosses = 5;

/** A call that ends with one result, or an acknowledgement. */
export class ResultCall implements Requester {
  readonly #requests: Requests;
  readonly #target: CallTarget;
  readonly #options: CallOptions;
  readonly #resolve: (result: unknown) => void;
  readonly #reject: (error: GenApiError) => void;
  #id = "";
  /** Of the present attempt: one that has been answered would be answered alike again. */
  #key: string | undefined;
  #losses = 0;
  #attempts = 0;
  /** Whether the present request is of an async function, and under way. */
  #isAccepted = false;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #unwatch: (() => void) | undefined;

  constructor(
    requests: Requests,
    target: CallTarget,
    options: CallOptions,
    resolve: (result: unknown) => void,
    reject: (error: GenApiError) => void,
  ) {
    this.#requests = requests;
    this.#target = target;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    const { signal, timeoutMs } = this.#options;
    if (signal?.aborted) {
      this.#reject(cancelled(signal));
      return;
    }
    if (signal !== undefined || timeoutMs !== undefined) {
      this.#unwatch = watchEnding(this.#options, (error) => this.#abandon(error));
    }
    this.#send();
  }

  frame(id: string): Frame {
    return { kind: "request", payload: requestPayload(id, this.#target, this.#options, this.#key) };
  }

  onLost(): boolean {
    return this.#key !== undefined && ++this.#losses < maxLosses;
  }

  onResponse(response: Response): void {
    if (response.has_more) {
      this.#requests.leave(this.#id, "stop_stream");
      this.#fail(new GenApiError("invalid_request", isStream(this.#target), { requestId: this.#id }));
    } else if (!response.success) {
      this.#requests.end(this.#id);
      this.#failOrRetry(errorOfResponse(response));
    } else if (response.async) {
      this.#isAccepted = true;
    } else {
      this.#requests.end(this.#id);
      this.#succeed(response.result);
    }
  }

  onAccepted(): void {
    // The reply to an async function follows its first Response. A reply alone is all that a function of type none gets.
    if (this.#isAccepted) return;
    this.#requests.end(this.#id);
    this.#succeed(undefined);
  }

  onFailed(error: GenApiError): void {
    this.#failOrRetry(error);
  }

  #send(): void {
    this.#attempts++;
    this.#isAccepted = false;
    this.#key = keyOf(this.#options);
    this.#id = this.#requests.start(this);
  }

  #succeed(result: unknown): void {
    this.#unwatch?.();
    this.#resolve(result);
  }

  #failOrRetry(error: GenApiError): void {
    const { attempts = 1 } = this.#options.retry ?? {};
    // Whether a function ran whose socket was lost, nobody knows.
    const mayRetry = error.canRetry && error.code !== "disconnected" && error.code !== "cancelled";
    if (!mayRetry || this.#attempts >= attempts) this.#fail(error);
    else this.#retryTimer = setTimeout(() => this.#send(), retryDelay(this.#attempts, error.retryAfterMs));
  }

  #fail(error: GenApiError): void {
    this.#unwatch?.();
    this.#reject(error);
  }

  /** The caller waits no longer. */
  #abandon(error: GenApiError): void {
    clearTimeout(this.#retryTimer);
    this.#requests.leave(this.#id, "cancel");
    this.#fail(error);
  }
}

function isStream({ service, requestType }: CallTarget): string {
  return `${service}.${requestType} is a stream: begin its loop, \`for await\`, in the turn in which you call it`;
}
