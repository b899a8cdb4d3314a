import { quote } from "../../core/quote.ts";
import type { ForwardedStream } from "../across/forwarded-stream.ts";
import { Call } from "../call.ts";
import type { PipelineDeps } from "../pipeline-deps.ts";
import type { Caller, LaterResponses, ReplyTo, RequestHandler, ResumeRefusal, Resumption } from "../request/caller.ts";
import {
  type Failure,
  internal,
  invalidRequest,
  replyErrorOf,
  unauthenticated,
  unavailable,
} from "../request/failure.ts";
import { parseRequest, requestIdOf } from "../request/request.ts";
import { encodeFailure } from "../request/response.ts";
import type { InFlightBound, RunningCalls } from "../request/running-calls.ts";
import { reportRejection } from "./rejection.ts";
import { resolve } from "./resolve.ts";
import { waiting } from "./stage.ts";
import type { StageName } from "./stage-text.ts";
import { stages } from "./stages.ts";

/** Takes requests through {@link stages} and answers each with exactly one final Response. */
export class Pipeline implements RequestHandler {
  readonly #deps: PipelineDeps;
  #isDraining = false;

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
  }

  handle(payload: unknown, bytes: number, caller: Caller, replyTo: ReplyTo, weight: number): void {
    // Before anything is read, so that an anonymous caller learns this whatever it sent.
    if (caller.requireVerifiedUserId && caller.userId === null) {
      this.#refuse(requestIdOf(payload), unauthenticated, replyTo);
      return;
    }
    const { maxPayloadBytes } = this.#deps;
    if (bytes > maxPayloadBytes) {
      const problem = `Request payload exceeds maximum size of ${maxPayloadBytes} bytes (got ${bytes} bytes)`;
      this.#refuse(requestIdOf(payload), invalidRequest(problem), replyTo);
      return;
    }
    const request = parseRequest(payload);
    if ("code" in request) {
      this.#refuse(requestIdOf(payload), request, replyTo);
      return;
    }
    const call = new Call(request, caller, replyTo, this.#deps, weight);
    // While draining, running functions may still call others: they must come to their end.
    const isRefused = (this.#isDraining && caller.depth === 0) || this.#hasTooMuch(caller, weight);
    const refused = isRefused ? unavailable : resolve.run(call, this.#deps);
    if (refused !== undefined) {
      call.fail(refused);
      return;
    }
    call.limitTime();
    proceed(call, this.#deps);
  }

  resume(payload: unknown, caller: Caller, channel: LaterResponses): Resumption | Promise<Resumption> {
    const { resumable, gateway } = this.#deps;
    const stream = resumable.find(payload, caller);
    if (stream === null) return this.#resumeAcross(payload, caller, channel);
    const { seq } = payload as { readonly seq?: unknown };
    const gap = stream.gapAt(seq);
    if (gap !== null) return gap;
    if (stream.isElsewhere(caller)) {
      const { calls } = caller;
      if (calls.hasStream(stream.requestId)) return "request_id_in_use";
      const bound = stream.isEnded ? null : boundOfStream(calls, stream.orphanedBytes);
      if (bound !== null) {
        reportRejection(caller, bound, gateway);
        return bound;
      }
    }
    return () => stream.resume(caller, channel, seq as number);
  }

  /** Another gateway may have the stream. */
  #resumeAcross(payload: unknown, caller: Caller, channel: LaterResponses): Resumption | Promise<Resumption> {
    const { across, gateway } = this.#deps;
    const { request_id: requestId, resume_token: token, seq } = (payload ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof requestId !== "string" || typeof token !== "string" || !across?.isElsewhere(token)) return "not_found";
    if (!Number.isSafeInteger(seq)) return "gap";
    const { calls } = caller;
    if (calls.hasStream(requestId)) return "request_id_in_use";
    const bound = boundOfStream(calls, 0);
    if (bound !== null) {
      reportRejection(caller, bound, gateway);
      return bound;
    }
    return new Promise((resolve) => {
      const asked = { requestId, token, seq: seq as number, caller, channel };
      const begins = (stream: ForwardedStream) => resolve(() => stream.start());
      across.forward(asked, begins, (reason) => resolve(reason as ResumeRefusal));
    });
  }

  /** Makes every new request `unavailable`; running ones continue. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Whether {@link drain} was called. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Whether the caller's connection has too much running to take another request. */
  #hasTooMuch(caller: Caller, weight: number): boolean {
    const reason = caller.calls.inFlight?.boundFor(weight) ?? null;
    if (reason !== null) reportRejection(caller, reason, this.#deps.gateway);
    return reason !== null;
  }

  /** Refuses a payload that is not a request, or comes from an anonymous caller. */
  #refuse(requestId: string, failure: Failure, replyTo: ReplyTo): void {
    this.#deps.counts.add(failure);
    const response = encodeFailure(requestId, failure, this.#deps.detailError());
    replyTo.answer(response, "error", quote(replyErrorOf(failure) ?? failure.message), failure);
  }
}

/** Takes a call through its remaining stages, or again from the one of this name, until one has to wait. */
function proceed(call: Call, deps: PipelineDeps, from?: StageName): void {
  try {
    if (from !== undefined) call.stage = stages.findIndex(({ name }) => name === from);
    while (call.stage < stages.length && !call.isAnswered && call.compiled !== null) {
      const result = stages[call.stage++]?.run(call, call.compiled, deps, proceed);
      if (result === waiting) {
        call.track();
        return;
      }
      if (result !== undefined) {
        call.fail(result);
        return;
      }
    }
  } catch (thrown) {
    // A bug of the gateway: only this request is affected.
    const failure = internal(thrown);
    if (call.isAnswered) call.reportFault(failure);
    else call.fail(failure);
  }
}

/** The bound that keeps a connection from having one more stream, with arguments of this many bytes. */
function boundOfStream({ inFlight }: RunningCalls, bytes: number): InFlightBound | null {
  if (inFlight === null) return null;
  return inFlight.isFullOfStreams ? "too_many_streams" : inFlight.boundFor(bytes);
}
