import type { ReplyTo } from "../../call/request/caller.ts";
import { invalidRequest } from "../../call/request/failure.ts";
import { type Response, readResponse } from "../../call/request/response.ts";
import type { ReplyStatus } from "../../protocol/channel-events.ts";
import type { Ref } from "../../protocol/message.ts";
import type { EventFunction } from "./channel-events.ts";
import type { JoinedChannel } from "./joined-channel.ts";

/**
 * Answers an event that calls a function: one `phx_reply`, with the bare result or with the failure. An async function
 * is answered when it has its result, one of type `none` when it was accepted.
 */
export class EventReply implements ReplyTo {
  readonly #channel: JoinedChannel;
  readonly #ref: Ref;
  readonly #called: EventFunction;
  /** A reply always has room: it is one per request. */
  readonly isReady = true;
  #isAnswered = false;

  constructor(channel: JoinedChannel, ref: Ref, called: EventFunction) {
    this.#channel = channel;
    this.#ref = ref;
    this.#called = called;
  }

  whenReady(): void {
    // Always ready.
  }

  answer(response: string): void {
    this.push(response);
  }

  push(encoded: string): void {
    if (this.#isAnswered) return;
    const { response, result } = readResponse(encoded);
    if (response.has_more) this.#refuseStream(response.request_id);
    else if (!response.success) this.#send("error", JSON.stringify(failureReply(response)));
    else if (!response.async) this.#send("ok", result);
    // Otherwise an async request was accepted, and its result follows.
  }

  reply(status: ReplyStatus): void {
    this.#send(status, "{}");
  }

  #refuseStream(requestId: string): void {
    const { service, requestType } = this.#called;
    const { code, message, canRetry } = invalidRequest(
      `${service}.${requestType} is a stream, which no event can call`,
    );
    this.#send("error", JSON.stringify({ reason: code, message, can_retry: canRetry }));
    this.#channel.calls.cancel(requestId)?.();
  }

  /** @param response JSON */
  #send(status: ReplyStatus, response: string): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    const { isJoined, encoder, outbound } = this.#channel;
    if (isJoined) outbound.send(encoder.reply(this.#ref, status, response));
  }
}

/** A failed Response as the reply to an event. The reason that a function gave is its `detail`. */
function failureReply({ error_code, error, can_retry, reason, retry_after_ms }: Response) {
  return { reason: error_code, message: error, can_retry, detail: reason, retry_after_ms };
}
