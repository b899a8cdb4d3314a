import type { FunConfig } from "../config/fun-config.ts";
import { quote } from "../core/quote.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import { nextStep } from "../policy/retry.ts";
import { afterExecute } from "./after-execute.ts";
import { Attempt, type AttemptOwner, type Executor } from "./attempt.ts";
import { type CallIdentity, callTelemetry as telemetry } from "./call-telemetry.ts";
import type { Caller, ReplyTo } from "./caller.ts";
import type { CompiledFunction, Target } from "./compile-function.ts";
import { cancelled, type Failure, refusal, replyErrorOf, unavailable } from "./failure.ts";
import { identityOf } from "./identity.ts";
import type { PipelineSources } from "./pipeline-sources.ts";
import type { Request } from "./request.ts";
import { encodeAccepted, encodeChunk, encodeFailure, encodeSuccess } from "./response.ts";
import type { AbortReason, Place, RunningCall } from "./running-calls.ts";
import { StreamCall, type StreamOwner } from "./stream-call.ts";

const exhausted = refusal("retry_exhausted", "All retry attempts exhausted");

/** A request on its way through the pipeline: what is known of it, its execution, and its one answer. */
export class Call implements RunningCall, AttemptOwner, StreamOwner {
  request: Request;
  readonly caller: Caller;
  readonly replyTo: ReplyTo;
  /** Set by the first stage; a before hook may change it. */
  compiled: CompiledFunction | null = null;
  /** Valid, in the function's order. */
  args: readonly unknown[] = [];
  /** The pipeline's next stage. */
  stage = 0;
  readonly #sources: PipelineSources;
  #startedAt = 0;
  #attempt: Attempt | null = null;
  #stream: StreamCall | null = null;
  #retries = 0;
  #retryTimer: unknown = null;
  /** Among all running calls, and among its caller's. */
  #place: Place | null = null;
  #placeOfCaller: Place | null = null;
  #isAcknowledged = false;
  #isAborted = false;
  #isAnswered = false;
  #isSent = false;

  constructor(request: Request, caller: Caller, replyTo: ReplyTo, sources: PipelineSources) {
    this.request = request;
    this.caller = caller;
    this.replyTo = replyTo;
    this.#sources = sources;
    if (!telemetry.isActive) return;
    this.#startedAt = sources.clock.now();
    telemetry.started(this.identify(), sources.clock.systemTime());
  }

  get requestId(): string {
    return this.request.requestId;
  }

  /** Its answer has been decided: nothing may be done for it any more. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Now that it has to wait, it can be cancelled and counts as running. */
  track(): void {
    if (this.#place !== null || this.#isSent) return;
    this.#place = this.#sources.running.add(this);
    // What nobody waits for goes on when its client is gone.
    if (this.compiled?.config.responseType !== "none") this.#placeOfCaller = this.caller.calls.add(this);
  }

  abort(reason: AbortReason): void {
    this.#isAborted = true;
    if (this.#stream !== null) this.#stream.abort(reason);
    else if (this.#attempt !== null) this.#attempt.abort(reason);
    else this.fail(reason === "stopped" ? unavailable : cancelled);
  }

  get isStream(): boolean {
    return this.#stream !== null;
  }

  stop(): void {
    this.#stream?.stop();
  }

  /** Runs its function; the answer follows. An async, stream or none request is told that it was accepted. */
  execute(compiled: CompiledFunction, target: Target): void {
    const { config } = compiled;
    const identity = config.requestInfo ? identityOf(this.request, this.caller, config) : null;
    if (config.responseType === "stream") {
      this.#openStream(config, target, identity);
      return;
    }
    const { maxResultBytes, deadlines } = this.#sources;
    this.#attempt = new Attempt(config, target, this.args, identity, maxResultBytes, this);
    this.#attempt.start(this.executor, deadlines);
    // Not before the start: a pool that is full refuses at once, and then there is nothing to acknowledge.
    if (!this.#isAnswered && config.responseType !== "sync") this.#acknowledge();
  }

  streamBegins(): void {
    if (!this.#isAcknowledged) this.#acknowledge();
  }

  streamEnded(response: string, failure: Failure | null): void {
    this.#answer(response, failure);
  }

  /** Where its function runs. */
  get executor(): Executor {
    const { executors } = this.#sources;
    return this.compiled?.config.runOn === "main" ? executors.main : executors.worker;
  }

  attemptSucceeded(json: string): void {
    this.#attempt = null;
    if (this.compiled?.config.responseType !== "sync") this.#acknowledge();
    this.#answer(encodeSuccess(this.request.requestId, json), null);
  }

  attemptFailed(failure: Failure, begun: boolean): void {
    this.#attempt = null;
    if (begun && this.compiled?.config.responseType !== "sync") this.#acknowledge();
    const plan = this.#isAborted ? null : (this.compiled?.retryPlan ?? null);
    const next = nextStep(plan, this.#retries, failure, this.#sources.random);
    switch (next.step) {
      case "fail":
        this.fail(failure);
        return;
      case "exhausted":
        if (telemetry.isActive) telemetry.exhausted(this.identify(), this.#retries + 1);
        this.fail({ ...exhausted, cause: failure });
        return;
      case "retry":
        this.#retries++;
        if (telemetry.isActive) telemetry.retried(this.identify(), this.#retries, next.delayMs, failure);
        this.track();
        this.#retryTimer = this.#sources.clock.setTimeout(() => this.#retry(), next.delayMs);
    }
  }

  /** Answers with a failure, unless it has been answered. */
  fail(failure: Failure): void {
    const { requestId } = this.request;
    this.#answer(encodeFailure(requestId, failure, this.#sources.detailError()), failure);
  }

  /** What telemetry calls it. */
  identify(): CallIdentity {
    const { requestId, service, requestType, version } = this.request;
    return {
      gateway: this.#sources.gateway,
      request_id: requestId,
      service,
      request_type: requestType,
      version: this.compiled?.config.version ?? version,
      response_type: this.compiled?.config.responseType ?? null,
      user_id: this.caller.userId,
    };
  }

  #retry(): void {
    this.#retryTimer = null;
    const { compiled } = this;
    if (compiled?.target) this.execute(compiled, compiled.target);
  }

  #openStream(config: FunConfig, target: Target, identity: RequestIdentity | null): void {
    const { gateway, clock, executors, maxResultBytes, streamStallTimeoutMs } = this.#sources;
    this.#stream = new StreamCall({
      gateway,
      requestId: this.request.requestId,
      name: config,
      target,
      args: this.args,
      identity,
      maxResultBytes,
      stallTimeoutMs: streamStallTimeoutMs,
      clock,
      executor: config.runOn === "main" ? executors.mainStreams : executors.workerStreams,
      replyTo: this.replyTo,
      owner: this,
      encodeFailure: (failure) => encodeFailure(this.request.requestId, failure, this.#sources.detailError()),
    });
    this.track();
    this.#sources.startStream(this.#stream);
  }

  /** Once. */
  #acknowledge(): void {
    if (this.#isAcknowledged) return;
    this.#isAcknowledged = true;
    const { requestId, requestType } = this.request;
    switch (this.compiled?.config.responseType) {
      case "none":
        this.replyTo.reply("ok", quote(requestType));
        return;
      case "stream":
        this.replyTo.answer(encodeChunk(requestId, '"init"'), "ok", quote(requestType));
        return;
      default:
        this.replyTo.answer(encodeAccepted(requestId), "ok", quote(requestType));
    }
  }

  #answer(response: string, failure: Failure | null): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    if (this.#retryTimer !== null) this.#sources.clock.clearTimeout(this.#retryTimer);
    const hook = this.compiled?.afterExecute ?? null;
    const changed =
      hook === null ? response : afterExecute(hook, this, response, this.#sources.clock, this.#sources.maxResultBytes);
    if (changed instanceof Promise) {
      this.track();
      void changed.then((text) => this.#send(text, failure));
    } else {
      this.#send(changed, failure);
    }
  }

  #send(response: string, failure: Failure | null): void {
    this.#isSent = true;
    if (this.#place !== null) this.#sources.running.delete(this.#place);
    if (this.#placeOfCaller !== null) this.caller.calls.delete(this.#placeOfCaller);
    const { requestType } = this.request;
    if (!this.#isAcknowledged) {
      const replyError = failure === null ? null : replyErrorOf(failure);
      if (replyError === null) this.replyTo.answer(response, "ok", quote(requestType));
      else this.replyTo.answer(response, "error", quote(replyError));
    } else if (this.compiled?.config.responseType !== "none") {
      this.replyTo.push(response);
    }
    if (telemetry.isActive) telemetry.ended(this.identify(), this.#sources.clock.now() - this.#startedAt, failure);
  }
}
