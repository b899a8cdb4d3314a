import type { Response } from "../call/request/response.ts";
import { disconnected, GenApiError } from "./gen-api-error.ts";
import type { Reply, Uplink, UplinkListener } from "./uplink.ts";

/** What is sent for a request. */
export interface Frame {
  /** The request itself, or the rest of its stream over another socket. */
  readonly kind: "request" | "resume";
  readonly payload: object;
}

/** Who waits for the answers to a request. */
export interface Requester {
  /** What to send, now that the gateway can be reached. */
  frame(id: string): Frame;
  /** The socket is lost over which it was sent. @returns whether it goes on over the next one */
  onLost(): boolean;
  /** A Response. */
  onResponse(response: Response): void;
  /** The gateway took the request, and may say no more. */
  onAccepted(): void;
  /** No Response will come. */
  onFailed(error: GenApiError): void;
}

interface PendingRequest {
  readonly requester: Requester;
  /** Whether it went out over the present socket; otherwise it waits. */
  isSent: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

// As long as gateways keep a stream, or a call, whose socket is gone, by default.
const keptMs = 30_000;

/** Every request that is under way, by its id, which is also the `ref` of what is sent. */
export class Requests implements UplinkListener {
  readonly #pending = new Map<string, PendingRequest>();
  // Unlike those of other clients on the same socket.
  readonly #prefix = `${Math.random().toString(36).slice(2, 10)}-`;
  readonly #event: string;
  readonly #waitMs: number;
  #count = 0;
  #uplink: Uplink | undefined;

  /** @param event of the channel, which carries requests and Responses */
  constructor(event: string, waitMs: number) {
    this.#event = event;
    this.#waitMs = waitMs;
  }

  /** Begins to send. */
  attach(uplink: Uplink): void {
    this.#uplink = uplink;
  }

  get isWaiting(): boolean {
    return this.#pending.size > 0;
  }

  /** Sends a request, as soon as there is a connection. @returns its id */
  start(requester: Requester): string {
    const id = `${this.#prefix}${++this.#count}`;
    const request: PendingRequest = { requester, isSent: false, timer: undefined };
    this.#pending.set(id, request);
    if (this.#uplink?.status === "closed") this.#fail(id, request, closedError(this.#uplink));
    else if (this.#uplink?.isOpen) this.#send(id, request);
    else this.#wait(id, request);
    return id;
  }

  /** Forgets a request: nobody waits for its answers any more. */
  end(id: string): void {
    clearTimeout(this.#pending.get(id)?.timer);
    this.#pending.delete(id);
  }

  /** As {@link end}, and tells the gateway by `event`. */
  leave(id: string, event: "cancel" | "stop_stream"): void {
    this.tell(id, event);
    this.end(id);
  }

  /**
   * Sends what is about a request, if the gateway has the request.
   * @param ref the id, if the requester wants the reply
   */
  tell(id: string, event: string, fields: object = {}, ref: string | null = null): void {
    if (this.#pending.get(id)?.isSent) this.#uplink?.send(event, { request_id: id, ...fields }, ref);
  }

  onOpen(): void {
    for (const [id, request] of [...this.#pending]) if (!request.isSent) this.#send(id, request);
  }

  onLost(error: GenApiError): void {
    for (const [id, request] of [...this.#pending]) {
      if (!request.isSent) continue;
      if (request.requester.onLost()) this.#wait(id, request, Math.max(this.#waitMs, keptMs));
      else this.#fail(id, request, error);
    }
  }

  onRefused(error: GenApiError): void {
    for (const [id, request] of [...this.#pending]) if (!request.isSent) this.#fail(id, request, error);
  }

  onPush(payload: unknown): void {
    const response = payload as Response;
    this.#pending.get(response.request_id)?.requester.onResponse(response);
  }

  onReply(ref: unknown, { status, response }: Reply): void {
    const id = ref as string;
    const request = this.#pending.get(id);
    if (request === undefined) return;
    const { requester } = request;
    // In a channel with replyMode "reply" the first Response is here.
    if (isMap(response) && "request_id" in response) requester.onResponse(response as unknown as Response);
    else if (status === "ok") requester.onAccepted();
    else if (!isMap(response)) this.#fail(id, request, new GenApiError("invalid_request", String(response)));
    else this.#fail(id, request, disconnected(`Cannot go on here: ${response.reason}`, String(response.reason)));
  }

  #send(id: string, request: PendingRequest): void {
    clearTimeout(request.timer);
    request.isSent = true;
    const { kind, payload } = request.requester.frame(id);
    try {
      this.#uplink?.send(kind === "resume" ? kind : this.#event, payload, id);
    } catch (cause) {
      // JSON has no such value: a bigint, a circle.
      this.#fail(id, request, new GenApiError("invalid_argument", `Cannot be sent: ${cause}`, { cause }));
    }
  }

  #wait(id: string, request: PendingRequest, ms = this.#waitMs): void {
    request.isSent = false;
    clearTimeout(request.timer);
    request.timer = setTimeout(() => {
      const { error } = this.#uplink ?? {};
      const message = `No connection for ${ms} ms${error === undefined ? "" : `: ${error.message}`}`;
      this.#fail(id, request, disconnected(message, error?.reason ?? "not_connected", true, error));
    }, ms);
  }

  #fail(id: string, request: PendingRequest, error: GenApiError): void {
    if (this.#pending.get(id) !== request) return;
    this.end(id);
    request.requester.onFailed(
      new GenApiError(error.code, error.message, {
        reason: error.reason,
        canRetry: error.canRetry,
        cause: error.cause,
        requestId: id,
      }),
    );
  }
}

function closedError({ error }: Uplink): GenApiError {
  return error ?? disconnected("The client was closed", "closed", false);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
