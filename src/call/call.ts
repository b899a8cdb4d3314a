import { quote } from "../core/quote.ts";
import type { RequestIdentity, TraceContext } from "../core/request-info.ts";
import type { CancelReason } from "../execution/worker-call.ts";
import type { Claim } from "../node/peers/peers.ts";
import { nextStep, type RetryPlan } from "../policy/retry.ts";
import { RequestTrace } from "../telemetry/request-trace.ts";
import type { Asking } from "./across/across.ts";
import type { AskingRequest } from "./across/asked-call.ts";
import { afterExecute } from "./after-execute.ts";
import { Attempt, type AttemptListener, type Executor } from "./attempt.ts";
import { type AttemptIdentity, type CallIdentity, callTelemetry as telemetry } from "./call-telemetry.ts";
import type { CompiledFunction } from "./functions/compile-function.ts";
import type { FunctionNodes } from "./functions/function-nodes.ts";
import type { KeyedCall, KeyedRequest } from "./idempotency/keyed-call.ts";
import { NestedCalls } from "./nested/nested-calls.ts";
import type { PipelineDeps } from "./pipeline-deps.ts";
import type { Caller, ReplyTo } from "./request/caller.ts";
import {
  cancelled,
  type Failure,
  internal,
  replayUnavailable,
  replyErrorOf,
  retryExhausted,
  timedOut,
  unavailable,
} from "./request/failure.ts";
import { identityOf } from "./request/identity.ts";
import { type Request, unknownRequestId } from "./request/request.ts";
import {
  encodeAccepted,
  encodeChunk,
  encodeFailure,
  encodeSuccess,
  withReplayed,
  withToken,
} from "./request/response.ts";
import type { Place, RunningCall } from "./request/running-calls.ts";
import type { ResumableCall, ResumableStream } from "./resume/resumable-stream.ts";
import { Route, type Routed } from "./route.ts";
import { StreamCall, type StreamExecutor, type StreamListener } from "./stream-call.ts";

const none: Record<string, unknown> = Object.freeze({});

/** A request on its way through the pipeline: its data, its execution, and its one answer. */
export class Call
  implements RunningCall, ResumableCall, KeyedRequest, AskingRequest, AttemptListener, StreamListener, Routed
{
  request: Request;
  /** Another channel of the same user, once its stream was resumed there. */
  caller: Caller;
  readonly replyTo: ReplyTo;
  /** Set by the first stage; a before hook may change it. */
  compiled: CompiledFunction | null = null;
  /** Validated, in the function's order. */
  args: readonly unknown[] = [];
  /** Its route to nodes; null if this gateway runs the function. */
  route: Route | null = null;
  /** The question to its permission callback, once asked. */
  question: { abort(reason: CancelReason, failure: Failure): void } | null = null;
  /** The pipeline's next stage. */
  stage = 0;
  /** The call of its idempotency key; null without one. */
  keyed: KeyedCall | null = null;
  /** The claim of another gateway, which has its key; null if this one executes it. */
  owner: Claim | null = null;
  /** What asks that gateway. */
  asking: Asking | null = null;
  readonly #deps: PipelineDeps;
  /** Memory of its arguments, bytes. */
  #weight: number;
  /** Below 0 if there were no listeners then. */
  #startedAt = -1;
  /** Null until telemetry asks for it. */
  #trace: RequestTrace | null = null;
  /** The running attempt and its start; null without telemetry. */
  #running: { readonly identity: AttemptIdentity; readonly startedAt: number } | null = null;
  #attempt: Attempt | null = null;
  #stream: StreamCall | null = null;
  /** Null unless its stream outlives its socket. */
  #resumable: ResumableStream | null = null;
  #retries = 0;
  #retryTimer: unknown = null;
  /** Ends it when its client stops waiting, at this time of the clock; infinite unless the request said so. */
  #endTimer: unknown = null;
  #endsAt = Number.POSITIVE_INFINITY;
  /** Its place among all running calls, and among its caller's. */
  #place: Place | null = null;
  #placeOfCaller: Place | null = null;
  #isAcknowledged = false;
  #isAborted = false;
  /** Whether its function was, or may have been, called. */
  #hasBegun = false;
  #isAnswered = false;
  #isSent = false;

  constructor(request: Request, caller: Caller, replyTo: ReplyTo, deps: PipelineDeps, weight: number) {
    this.request = request;
    this.caller = caller;
    this.replyTo = replyTo;
    this.#deps = deps;
    this.#weight = weight;
    if (!telemetry.isActive) return;
    this.#startedAt = deps.clock.now();
    if (telemetry.isStartActive) telemetry.started(this.identify(), deps.clock.systemTime());
  }

  get requestId(): string {
    return this.request.requestId;
  }

  /** The trace for its own work. */
  get trace(): TraceContext | null {
    return this.#trace === null ? (this.request.trace ?? this.caller.trace) : this.#trace.current;
  }

  /** Whether its answer is decided: no more work may be done for it. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Makes it cancellable and counts it as running, now that it has to wait. */
  track(): void {
    if (this.#place !== null || this.#isSent) return;
    this.#place = this.#deps.running.add(this);
    const { calls } = this.caller;
    // A cast's caller waits only for acceptance; the call still counts.
    const isLeft = this.#isCast && this.#isAcknowledged;
    this.#placeOfCaller = isLeft ? calls.count(this, this.#weight) : calls.add(this, this.#weight);
  }

  /** Begins the time after which its client no longer waits, if the request has one. */
  limitTime(): void {
    const { timeoutMs } = this.request;
    if (timeoutMs === null) return;
    const { clock } = this.#deps;
    this.#endsAt = clock.now() + timeoutMs;
    // No deadline of `deps.deadlines`, which are for few different durations: clients choose this one.
    this.#endTimer = clock.setTimeout(() => this.#expire(timeoutMs), timeoutMs);
  }

  /**
   * Its arguments are validated: the client's originals are no longer needed, unless a hook will read them or another
   * node may be selected by them. A waiting call would otherwise hold many times the memory that the client sent.
   *
   * @param isHeldOn whether the function keeps some of them
   */
  releaseArguments(isHeldOn: boolean): void {
    if (this.compiled?.afterExecute !== null || this.route !== null) return;
    this.request.args = none;
    if (isHeldOn) return;
    this.#weight = 0;
    if (this.#placeOfCaller !== null) this.caller.calls.lighten(this.#placeOfCaller);
  }

  abort(reason: CancelReason, failure: Failure): void {
    // A cast, for which no caller waits, continues when its client is gone.
    if (reason === "disconnected" && this.#isCast) return;
    if (this.keyed?.takesAbort(this, reason, failure)) return;
    if (reason === "disconnected") this.#resumable?.forget();
    if (this.asking !== null && failure.code === "cancelled" && reason === "cancelled") {
      this.asking.cancel();
      return;
    }
    this.#isAborted = true;
    if (this.#stream !== null) this.#stream.abort(reason, failure);
    else if (this.#attempt !== null) this.#attempt.abort(reason, failure);
    else {
      this.fail(failure);
      this.question?.abort(reason, failure);
    }
  }

  detach(): void {
    // Before it is acknowledged its client has no token to come back with.
    const mayReturn = this.#resumable !== null && this.#isAcknowledged && !this.#isSent;
    if (!mayReturn || !this.#resumable?.detach()) this.abort("disconnected", cancelled);
  }

  leaveCaller(): void {
    if (this.#placeOfCaller !== null) this.caller.calls.delete(this.#placeOfCaller);
    this.#placeOfCaller = null;
    this.#stream?.clientLeft();
  }

  outliveClient(): void {
    if (this.#placeOfCaller !== null) this.caller.calls.leave(this.#placeOfCaller);
  }

  moveTo(caller: Caller, requestId: string): void {
    this.caller = caller;
    if (requestId !== this.request.requestId) this.request = { ...this.request, requestId };
    this.#placeOfCaller = caller.calls.add(this, this.#weight);
    caller.calls.countStream(this.#placeOfCaller);
    this.#stream?.clientCame();
  }

  get isStream(): boolean {
    return this.#stream !== null;
  }

  get weight(): number {
    return this.#weight;
  }

  get service(): string {
    return this.request.service;
  }

  get requestType(): string {
    return this.request.requestType;
  }

  stop(): void {
    this.#stream?.stop();
  }

  acknowledge(seq: number): boolean {
    if (this.#resumable?.hasDelivered(seq) === false || !this.#stream?.acknowledge(seq)) return false;
    this.#resumable?.release(seq);
    return true;
  }

  /**
   * Selects its node.
   * @param names its function's nodes
   * @returns false if none lives
   */
  selectNode(compiled: CompiledFunction, names: readonly string[]): boolean {
    const { config, nodes } = compiled;
    if (nodes === null) return false;
    const { requestId, args } = this.request;
    const { userId, deviceId } = this.caller;
    const { nodes: connected, nodeSelector } = this.#deps;
    const request = { requestId, args, userId, deviceId };
    this.route = new Route(connected, nodeSelector, config, nodes.functionKey, request);
    return this.route.select(names);
  }

  /**
   * Runs its function; the answer follows. The client of an async, stream or none request is notified that it was
   * accepted.
   */
  execute(): void {
    if (this.route === null) this.start();
    else this.route.run(this);
    if (this.#isAnswered) return;
    const responseType = this.compiled?.config.responseType;
    // Not before the start: a full pool refuses at once, and then there is nothing to acknowledge.
    if (responseType !== "stream") this.keyed?.accept();
    if (responseType === "async" || responseType === "none") this.#acknowledge();
  }

  /** Runs its function where the call currently is. */
  start(): void {
    const { compiled } = this;
    if (compiled === null) return;
    const { config, target } = compiled;
    this.attemptBegins("function");
    const identity = config.requestInfo
      ? identityOf(this.request, this.caller, config, this.#deadlineOf(compiled), this.trace)
      : null;
    if (config.responseType === "stream") {
      this.#openStream(compiled, identity);
      return;
    }
    const { maxResultBytes, deadlines } = this.#deps;
    this.#attempt = new Attempt(config, target, this.args, identity, this.trace, this.caller, maxResultBytes, this);
    this.#attempt.start(this.executor, deadlines);
  }

  nestedCalls(identity: RequestIdentity | null): NestedCalls {
    return new NestedCalls(this, identity?.deadline ?? null, this.#deps.nested);
  }

  onStreamBegins(): void {
    if (!this.#isAcknowledged) this.#acknowledge();
  }

  onStreamEnded(response: string, failure: Failure | null, begun: boolean): void {
    this.attemptEnds(failure);
    this.#hasBegun ||= begun;
    if (!begun && failure !== null && this.route?.goElsewhere(this, failure)) return;
    this.#answer(response, failure);
  }

  /** When its client stops waiting, or this attempt is given up, milliseconds since 1970; null for neither. */
  #deadlineOf({ config, target }: CompiledFunction): number | null {
    // A stream's own limit is the time between two chunks. A cast's client waits only for acceptance.
    const ownMs = config.responseType === "stream" ? null : target.timeoutMs;
    const endsAt = this.#isCast ? Number.POSITIVE_INFINITY : this.#endsAt;
    const leftMs = Math.min(endsAt - this.#deps.clock.now(), ownMs ?? Number.POSITIVE_INFINITY);
    return leftMs === Number.POSITIVE_INFINITY ? null : Math.round(this.#deps.clock.systemTime() + leftMs);
  }

  /** Where its function runs. */
  get executor(): Executor {
    const { executors } = this.#deps;
    if (this.route !== null) return this.route.executor;
    return this.compiled?.config.runOn === "main" ? executors.main : executors.worker;
  }

  get #streamExecutor(): StreamExecutor {
    const { executors } = this.#deps;
    if (this.route !== null) return this.route.executor;
    return this.compiled?.config.runOn === "main" ? executors.mainStreams : executors.workerStreams;
  }

  onAttemptSucceeded(json: string): void {
    this.#attempt = null;
    this.attemptEnds(null);
    this.#hasBegun = true;
    if (this.compiled?.config.responseType !== "sync") this.#acknowledge();
    this.#answer(encodeSuccess(this.request.requestId, json), null);
  }

  onAttemptFailed(failure: Failure, begun: boolean): void {
    this.#attempt = null;
    this.attemptEnds(failure);
    this.#hasBegun ||= begun;
    if (!begun && this.route?.goElsewhere(this, failure)) return;
    if (begun && this.compiled?.config.responseType !== "sync") this.#acknowledge();
    this.#tryAgain(failure);
  }

  /**
   * This gateway itself threw when it handled an attempt's outcome: answers with that, unless the request has been
   * answered.
   */
  onAttemptThrew(thrown: unknown): void {
    const failure = internal(thrown);
    if (!this.#isAnswered) {
      this.fail(failure);
      return;
    }
    this.reportFault(failure);
    if (!this.#isSent) this.#sendFailure(failure);
  }

  /** User code is about to run, for telemetry. */
  attemptBegins(called: AttemptIdentity["called"]): void {
    if (!telemetry.isAttemptActive) return;
    const { clock } = this.#deps;
    const node = this.route?.node ?? null;
    const where = node === null ? (this.compiled?.config.runOn ?? "worker") : "node";
    const { gateway, request_id, service, request_type, version, response_type, user_id, trace } = this.identify();
    const retries = this.#retries;
    // biome-ignore format: field by field, see callTelemetry
    const identity: AttemptIdentity = { gateway, request_id, service, request_type, version, response_type, user_id, trace, called, where, node, retries };
    this.#running = { identity, startedAt: clock.now() };
    telemetry.attemptStarted(identity, clock.systemTime());
  }

  /**
   * User code has ended, for telemetry.
   * @param failure null after a success
   */
  attemptEnds(failure: Failure | null): void {
    if (this.#running === null) return;
    const { identity, startedAt } = this.#running;
    this.#running = null;
    telemetry.attemptEnded(identity, this.#deps.clock.now() - startedAt, failure);
  }

  /** Answers with a failure, unless it has been answered. */
  fail(failure: Failure): void {
    const requestId = this.#isUnderLiveStream ? unknownRequestId : this.request.requestId;
    this.#answer(encodeFailure(requestId, failure, this.#deps.detailError()), failure);
  }

  /**
   * Whether it asks for a stream under the id of a live one: a failure under that id would look like the end of the
   * other stream. The reply to its ref identifies the request.
   */
  get #isUnderLiveStream(): boolean {
    if (this.#stream !== null || this.compiled?.config.responseType !== "stream") return false;
    return this.caller.calls.hasStream(this.request.requestId);
  }

  /** After a failed attempt: schedules another as the FunConfig's `retry` says, or answers with the failure. */
  #tryAgain(failure: Failure): void {
    const plan = this.#isAborted ? null : (this.compiled?.retryPlan ?? null);
    const next = nextStep(plan, this.#retries, failure, this.#deps.random);
    switch (next.step) {
      case "fail":
        this.fail(failure);
        return;
      case "exhausted":
        if (failure.code === "internal") this.reportFault(failure);
        if (telemetry.isActive) telemetry.exhausted(this.identify(), this.#retries + 1);
        this.fail({ ...retryExhausted, cause: failure });
        return;
      case "retry":
        if (failure.code === "internal") this.reportFault(failure);
        this.#retries++;
        if (telemetry.isActive) telemetry.retried(this.identify(), this.#retries, next.delayMs, failure);
        this.track();
        this.#retryTimer = this.#deps.clock.setTimeout(() => this.#retry(next.nodes), next.delayMs);
    }
  }

  /** Reports a failure to telemetry, whether or not the answer will show it. */
  reportFault(failure: Failure): void {
    if (telemetry.isFaultActive) telemetry.fault(this.identify(), this.route?.node ?? null, this.#durationMs, failure);
  }

  /** Its identity in telemetry. */
  identify(): CallIdentity {
    const { requestId, service, requestType, version, trace } = this.request;
    this.#trace ??= new RequestTrace(trace ?? this.caller.trace);
    return {
      gateway: this.#deps.gateway,
      request_id: requestId,
      service,
      request_type: requestType,
      version: this.compiled?.config.version ?? version,
      response_type: this.compiled?.config.responseType ?? null,
      user_id: this.caller.userId,
      trace: this.#trace,
    };
  }

  /**
   * Its client no longer waits, unless it waited only for acceptance. Its function is cancelled rather than timed out: a
   * client in a hurry must not open the function's circuit.
   */
  #expire(timeoutMs: number): void {
    this.#endTimer = null;
    const failure = timedOut(timeoutMs);
    try {
      if (!this.#isAnswered && !(this.#isCast && this.#isAcknowledged)) this.abort("cancelled", failure);
      // The answer waits for an after hook.
      else if (this.#isAnswered && !this.#isSent) this.#sendFailure(failure);
    } catch (thrown) {
      // In a timer there is no one to catch it.
      this.onAttemptThrew(thrown);
    }
  }

  #retry(plan: RetryPlan["nodes"]): void {
    this.#retryTimer = null;
    const nodes = this.compiled?.nodes ?? null;
    try {
      if (nodes !== null && plan === "all") {
        this.#retryAnywhere(nodes);
        return;
      }
      this.route?.restart();
      this.execute();
    } catch (thrown) {
      // In a timer there is no one to catch it.
      this.fail(internal(thrown));
    }
  }

  /** Retries on one of the nodes that the function has by now. */
  #retryAnywhere(nodes: FunctionNodes): void {
    const retry = (names: readonly string[]): void => {
      // Cancelled while it waited for the list of nodes.
      if (this.#isAnswered) return;
      if (this.route?.select(names)) this.execute();
      else this.#tryAgain(unavailable);
    };
    const names = nodes.names();
    if (names instanceof Promise) names.then(retry).catch((thrown) => this.fail(internal(thrown)));
    else retry(names);
  }

  #openStream({ config, target }: CompiledFunction, identity: RequestIdentity | null): void {
    const { gateway, clock, maxResultBytes, streamStallTimeoutMs, resumable } = this.#deps;
    if (this.request.resume) this.#resumable ??= resumable.open(this, this.caller, this.replyTo);
    this.#stream = new StreamCall({
      gateway,
      name: config,
      target,
      args: this.args,
      identity,
      trace: this.trace,
      caller: this.caller,
      maxResultBytes,
      window: this.request.window,
      stallTimeoutMs: streamStallTimeoutMs,
      clock,
      executor: this.#streamExecutor,
      channel: this.#resumable ?? this.replyTo,
      owner: this,
      encodeFailure: (failure) => encodeFailure(this.request.requestId, failure, this.#deps.detailError()),
    });
    this.track();
    if (this.#placeOfCaller !== null) this.caller.calls.countStream(this.#placeOfCaller);
    this.#deps.startStream(this.#stream);
  }

  /** Acknowledges it, once. */
  #acknowledge(): void {
    if (this.#isAcknowledged) return;
    this.#isAcknowledged = true;
    const { requestId, requestType } = this.request;
    switch (this.compiled?.config.responseType) {
      case "none":
        if (this.#placeOfCaller !== null) this.caller.calls.leave(this.#placeOfCaller);
        this.replyTo.reply("ok", quote(requestType));
        return;
      case "stream": {
        const init = encodeChunk(requestId, '"init"');
        const token = this.#resumable?.token;
        this.replyTo.answer(token === undefined ? init : withToken(init, token), "ok", quote(requestType));
        this.keyed?.accept();
        return;
      }
      default:
        this.replyTo.answer(encodeAccepted(requestId), "ok", quote(requestType));
    }
  }

  #answer(response: string, failure: Failure | null): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    if (this.#retryTimer !== null) this.#deps.clock.clearTimeout(this.#retryTimer);
    if (failure?.code === "internal") this.reportFault(failure);
    const hook = this.compiled?.afterExecute ?? null;
    if (hook === null) {
      this.#send(response, failure);
      return;
    }
    const { clock, maxResultBytes } = this.#deps;
    const answer = afterExecute(hook, this, { response, failure }, clock, maxResultBytes);
    if (answer instanceof Promise) {
      this.track();
      answer
        .then((changed) => this.#send(changed.response, changed.failure))
        .catch((thrown) => this.reportFault(internal(thrown)));
    } else {
      this.#send(answer.response, answer.failure);
    }
  }

  #sendFailure(failure: Failure): void {
    this.#send(encodeFailure(this.request.requestId, failure, this.#deps.detailError()), failure);
  }

  /** @param kept what repeated requests get */
  #send(response: string, failure: Failure | null, kept = response): void {
    // The client has stopped waiting for an after hook.
    if (this.#isSent) return;
    this.#deps.counts.add(failure);
    this.#leavePlaces();
    const { requestType } = this.request;
    if (!this.#isAcknowledged) {
      this.#resumable?.forget();
      const replyError = failure === null ? null : replyErrorOf(failure);
      if (replyError === null) this.replyTo.answer(response, "ok", quote(requestType), failure);
      else this.replyTo.answer(response, "error", quote(replyError), failure);
    } else if (this.compiled?.config.responseType !== "none") {
      const last = this.#stream?.numbered(response) ?? response;
      if (this.#resumable !== null) this.#endResumable(this.#resumable, last);
      else this.replyTo.push(last, failure);
    }
    if (this.#startedAt >= 0 && telemetry.isEndActive) {
      telemetry.ended(this.identify(), this.route?.node ?? null, this.#durationMs, failure);
    }
    this.keyed?.answered(this, kept, failure, this.#hasBegun);
  }

  get resumeToken(): string | null {
    return this.#resumable?.token ?? null;
  }

  /** The call that it repeats was accepted: it is acknowledged, as its kind requires. */
  onJoined(): void {
    const responseType = this.compiled?.config.responseType;
    if (responseType === "stream") this.#attachToStream();
    else if (responseType !== "sync") this.#acknowledge();
  }

  onSettled(response: string, failure: Failure | null): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#send(response, failure);
  }

  onJoinedElsewhere(resumeToken: string | null): void {
    if (this.#isAnswered) return;
    if (resumeToken !== null) {
      this.#forwardStream(resumeToken);
      return;
    }
    this.keyed?.accept();
    this.onJoined();
  }

  onSettledElsewhere(response: string, failure: Failure | null, isReplayed: boolean): void {
    if (this.#isAnswered) return;
    this.asking = null;
    this.#hasBegun = true;
    this.onJoinedElsewhere(null);
    this.#isAnswered = true;
    this.#send(isReplayed ? withReplayed(response) : response, failure, response);
  }

  /** Answers it with the Response that was kept of the call that it repeats. */
  replay(keyed: KeyedCall): void {
    const response = keyed.responseTo(this.requestId);
    this.onJoined();
    if (this.#isAnswered) return;
    if (response === null) this.fail(replayUnavailable);
    else this.onSettled(withReplayed(response), keyed.failure);
  }

  /** It repeats the request of a stream, which moves to its channel and takes its id. */
  #attachToStream(): void {
    const token = this.keyed?.resumeToken ?? null;
    const stream = token === null ? null : this.#deps.resumable.get(token);
    if (token === null || stream === null) {
      this.fail(replayUnavailable);
      return;
    }
    this.#acknowledgeStream(token);
    this.keyed?.leave(this);
    stream.attach(this.caller, this.replyTo, this.requestId);
  }

  /** As {@link #attachToStream}, for a stream of another gateway. */
  #forwardStream(token: string): void {
    const { requestId, caller, replyTo } = this;
    this.asking = null;
    this.#deps.across?.forward(
      { requestId, token, seq: null, caller, channel: replyTo },
      (stream) => {
        // Its client has cancelled it meanwhile, and with it the stream.
        if (this.#isAnswered) return stream.forget();
        this.#acknowledgeStream(token);
        this.keyed?.answered(this, "", null, false);
        stream.start();
      },
      () => this.fail(replayUnavailable),
    );
  }

  /** Its stream, which runs already, goes on under its id. */
  #acknowledgeStream(token: string): void {
    const { requestId, requestType } = this.request;
    this.#isAnswered = true;
    this.#deps.counts.add(null);
    this.#leavePlaces();
    this.replyTo.answer(withToken(encodeChunk(requestId, '"init"'), token), "ok", quote(requestType));
    if (this.#startedAt >= 0 && telemetry.isEndActive) telemetry.ended(this.identify(), null, this.#durationMs, null);
  }

  /** It no longer runs. */
  #leavePlaces(): void {
    this.#isSent = true;
    this.asking?.leave();
    this.asking = null;
    if (this.#endTimer !== null) this.#deps.clock.clearTimeout(this.#endTimer);
    if (this.#place !== null) this.#deps.running.delete(this.#place);
    if (this.#placeOfCaller !== null) this.caller.calls.delete(this.#placeOfCaller);
  }

  /** The stream may be kept for long, and keeps this call, but no longer needs what the function needed. */
  #endResumable(stream: ResumableStream, last: string): void {
    this.args = [];
    this.request.args = none;
    this.#stream = null;
    this.#weight = 0;
    stream.end(last);
  }

  get #isCast(): boolean {
    return this.compiled?.config.responseType === "none";
  }

  get #durationMs(): number {
    return this.#startedAt < 0 ? 0 : this.#deps.clock.now() - this.#startedAt;
  }
}
