import type { NestedListener, NestedRequest, RunningNested } from "../../execution/call-carrier.ts";
import { streamWindow } from "../../execution/stream-credit.ts";
import type { ReplyTo } from "../request/caller.ts";
import { type Failure, invalidRequest } from "../request/failure.ts";
import { encodeFailure, encodeSuccess, type Response } from "../request/response.ts";
import type { RunningCalls } from "../request/running-calls.ts";

/** Passes the Responses of one nested call to the function that waits for them. */
export class NestedReply implements ReplyTo, RunningNested {
  readonly #requestId: string;
  readonly #request: NestedRequest;
  readonly #calls: RunningCalls;
  readonly #listener: NestedListener;
  readonly #onLast: () => void;
  /** Chunks that the function has not taken. */
  #unread = 0;
  #whenReady: (() => void)[] = [];
  #isOver = false;

  /** @param onLast called once, before the last Response */
  constructor(
    requestId: string,
    request: NestedRequest,
    calls: RunningCalls,
    listener: NestedListener,
    onLast: () => void,
  ) {
    this.#requestId = requestId;
    this.#request = request;
    this.#calls = calls;
    this.#listener = listener;
    this.#onLast = onLast;
  }

  answer(response: string, _status: "ok" | "error", _reply: string, failure?: Failure | null): void {
    if (failure !== undefined) this.#last(response);
    // Otherwise it was accepted, which the function need not know. As a stream, though, it cannot be the result.
    else if (!this.#request.isStream && (JSON.parse(response) as Response).has_more) this.#refuseStream();
  }

  push(response: string, failure?: Failure | null): void {
    if (failure !== undefined) {
      this.#last(response);
      return;
    }
    if (this.#isOver) return;
    this.#unread++;
    this.#listener.onResponse(response, false);
  }

  /** A request of type `none` was accepted: that is its result. */
  reply(): void {
    this.#last(encodeSuccess(this.#requestId, "null"));
  }

  get isReady(): boolean {
    return this.#unread < streamWindow;
  }

  whenReady(run: () => void): void {
    this.#whenReady.push(run);
  }

  grant(chunks: number): void {
    this.#unread = Math.max(0, this.#unread - chunks);
    if (this.isReady) for (const run of this.#whenReady.splice(0)) run();
  }

  cancel(): void {
    this.#calls.cancel(this.#requestId)?.();
  }

  #refuseStream(): void {
    const { service, requestType } = this.#request;
    const failure = invalidRequest(`${service}.${requestType} is a stream: take it with callStream()`);
    this.#last(encodeFailure(this.#requestId, failure, false));
    this.cancel();
  }

  #last(response: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#whenReady = [];
    this.#onLast();
    this.#listener.onResponse(response, true);
  }
}
