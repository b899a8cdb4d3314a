import { quote } from "../core/quote.ts";
import type { RequestIdentity, TraceContext } from "../core/request-info.ts";
import { nextStep, type RetryPlan } from "../policy/retry.ts";
import { RequestTrace } from "../telemetry/request-trace.ts";
import type { CancelReason } from "../worker/worker-call.ts";
import { afterExecute } from "./after-execute.ts";
import { Attempt, type AttemptOwner, type Executor } from "./attempt.ts";
import { type AttemptIdentity, type CallIdentity, callTelemetry as telemetry } from "./call-telemetry.ts";
import type { Caller, ReplyTo } from "./caller.ts";
import type { CompiledFunction } from "./compile-function.ts";
import { type Failure, internal, replyErrorOf, retryExhausted, unavailable } from "./failure.ts";
import type { FunctionNodes } from "./function-nodes.ts";
import { identityOf } from "./identity.ts";
import type { PipelineSources } from "./pipeline-sources.ts";
import type { Request } from "./request.ts";
import { encodeAccepted, encodeChunk, encodeFailure, encodeSuccess } from "./response.ts";
import { Route, type Routed } from "./route.ts";
import type { Place, RunningCall } from "./running-calls.ts";
import { StreamCall, type StreamExecutor, type StreamOwner } from "./stream-call.ts";

/** A request on its way through the pipeline: what is known of it, its execution, and its one answer. */
export class Call implements RunningCall, AttemptOwner, StreamOwner, Routed {
  request: Request;
  readonly caller: Caller;
  readonly replyTo: ReplyTo;
  /** Set by the first stage; a before hook may change it. */
  compiled: CompiledFunction | null = null;
  /** Valid, in the function's order. */
  args: readonly unknown[] = [];
  /** Where nodes run its function; null where this gateway does. */
  route: Route | null = null;
  /** What its permission callback is asked, from when it was asked. */
  question: { abort(reason: CancelReason, failure: Failure): void } | null = null;
  /** The pipeline's next stage. */
  stage = 0;
  readonly #sources: PipelineSources;
  /** Below 0 where nobody listened then. */
  #startedAt = -1;
  /** Null until telemetry asked. */
  #trace: RequestTrace | null = null;
  /** What runs now, and since when; null while telemetry does not ask. */
  #running: { readonly identity: AttemptIdentity; readonly startedAt: number } | null = null;
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
    if (telemetry.isStartActive) telemetry.started(this.identify(), sources.clock.systemTime());
  }

  get requestId(): string {
    return this.request.requestId;
  }

  /** The trace that what it does belongs to. */
  get trace(): TraceContext | null {
    return this.#trace === null ? (this.request.trace ?? this.caller.trace) : this.#trace.current;
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

  abort(reason: CancelReason, failure: Failure): void {
    this.#isAborted = true;
    if (this.#stream !== null) this.#stream.abort(reason, failure);
    else if (this.#attempt !== null) this.#attempt.abort(reason, failure);
    else {
      this.fail(failure);
      this.question?.abort(reason, failure);
    }
  }

  get isStream(): boolean {
    return this.#stream !== null;
  }

  stop(): void {
    this.#stream?.stop();
  }

  /** Selects the node that it goes to. @param names its function's nodes @returns false where none lives */
  selectNode(compiled: CompiledFunction, names: readonly string[]): boolean {
    const { config, nodes } = compiled;
    if (nodes === null) return false;
    const { requestId, args } = this.request;
    const { userId, deviceId } = this.caller;
    const { nodes: connected, nodeSelector } = this.#sources;
    const request = { requestId, args, userId, deviceId };
    this.route = new Route(connected, nodeSelector, config, nodes.functionKey, request);
    return this.route.select(names);
  }

  /** Runs its function; the answer follows. An async, stream or none request is told that it was accepted. */
  execute(): void {
    if (this.route === null) this.start();
    else this.route.run(this);
    if (this.#isAnswered) return;
    const responseType = this.compiled?.config.responseType;
    // Not before the start: a pool that is full refuses at once, and then there is nothing to acknowledge.
    if (responseType === "async" || responseType === "none") this.#acknowledge();
  }

  /** Runs its function where the call is. */
  start(): void {
    const { compiled } = this;
    if (compiled === null) return;
    const { config, target } = compiled;
    this.attemptBegins("function");
    const identity = config.requestInfo ? identityOf(this.request, this.caller, config, this.trace) : null;
    if (config.responseType === "stream") {
      this.#openStream(compiled, identity);
      return;
    }
    const { maxResultBytes, deadlines } = this.#sources;
    this.#attempt = new Attempt(config, target, this.args, identity, this.trace, maxResultBytes, this);
    this.#attempt.start(this.executor, deadlines);
  }

  streamBegins(): void {
    if (!this.#isAcknowledged) this.#acknowledge();
  }

  streamEnded(response: string, failure: Failure | null, begun: boolean): void {
    this.attemptEnds(failure);
    if (!begun && failure !== null && this.route?.goElsewhere(this, failure)) return;
    this.#answer(response, failure);
  }

  /** Where its function runs. */
  get executor(): Executor {
    const { executors } = this.#sources;
    if (this.route !== null) return this.route.executor;
    return this.compiled?.config.runOn === "main" ? executors.main : executors.worker;
  }

  get #streamExecutor(): StreamExecutor {
    const { executors } = this.#sources;
    if (this.route !== null) return this.route.executor;
    return this.compiled?.config.runOn === "main" ? executors.mainStreams : executors.workerStreams;
  }

  attemptSucceeded(json: string): void {
    this.#attempt = null;
    this.attemptEnds(null);
    if (this.compiled?.config.responseType !== "sync") this.#acknowledge();
    this.#answer(encodeSuccess(this.request.requestId, json), null);
  }

  attemptFailed(failure: Failure, begun: boolean): void {
    this.#attempt = null;
    this.attemptEnds(failure);
    if (!begun && this.route?.goElsewhere(this, failure)) return;
    if (begun && this.compiled?.config.responseType !== "sync") this.#acknowledge();
    this.#tryAgain(failure);
  }

  /** Something of the user's is about to run, for telemetry. */
  attemptBegins(called: AttemptIdentity["called"]): void {
    if (!telemetry.isAttemptActive) return;
    const { clock } = this.#sources;
    const node = this.route?.node ?? null;
    const where = node === null ? (this.compiled?.config.runOn ?? "worker") : "node";
    const { gateway, request_id, service, request_type, version, response_type, user_id, trace } = this.identify();
    const retries = this.#retries;
    // biome-ignore format: field by field, see callTelemetry
    const identity: AttemptIdentity = { gateway, request_id, service, request_type, version, response_type, user_id, trace, called, where, node, retries };
    this.#running = { identity, startedAt: clock.now() };
    telemetry.attemptStarted(identity, clock.systemTime());
  }

  /** And has ended. @param failure null after a success */
  attemptEnds(failure: Failure | null): void {
    if (this.#running === null) return;
    const { identity, startedAt } = this.#running;
    this.#running = null;
    telemetry.attemptEnded(identity, this.#sources.clock.now() - startedAt, failure);
  }

  /** Answers with a failure, unless it has been answered. */
  fail(failure: Failure): void {
    const { requestId } = this.request;
    this.#answer(encodeFailure(requestId, failure, this.#sources.detailError()), failure);
  }

  /** After a failed attempt: another one later, as the FunConfig's `retry` says, or the failure is the answer. */
  #tryAgain(failure: Failure): void {
    const plan = this.#isAborted ? null : (this.compiled?.retryPlan ?? null);
    const next = nextStep(plan, this.#retries, failure, this.#sources.random);
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
        this.#retryTimer = this.#sources.clock.setTimeout(() => this.#retry(next.nodes), next.delayMs);
    }
  }

  /** Tells telemetry of a failure, whether or not the answer will show it. */
  reportFault(failure: Failure): void {
    if (telemetry.isFaultActive) telemetry.fault(this.identify(), this.route?.node ?? null, this.#durationMs, failure);
  }

  /** What telemetry calls it. */
  identify(): CallIdentity {
    const { requestId, service, requestType, version, trace } = this.request;
    this.#trace ??= new RequestTrace(trace ?? this.caller.trace);
    return {
      gateway: this.#sources.gateway,
      request_id: requestId,
      service,
      request_type: requestType,
      version: this.compiled?.config.version ?? version,
      response_type: this.compiled?.config.responseType ?? null,
      user_id: this.caller.userId,
      trace: this.#trace,
    };
  }

  #retry(plan: RetryPlan["nodes"]): void {
    this.#retryTimer = null;
    const nodes = this.compiled?.nodes ?? null;
    if (nodes !== null && plan === "all") {
      this.#retryAnywhere(nodes);
      return;
    }
    this.route?.restart();
    this.execute();
  }

  /** On one of the nodes that the function has by now. */
  #retryAnywhere(nodes: FunctionNodes): void {
    const retry = (names: readonly string[]): void => {
      // Cancelled while its nodes were waited for.
      if (this.#isAnswered) return;
      if (this.route?.select(names)) this.execute();
      else this.#tryAgain(unavailable);
    };
    const names = nodes.names();
    if (names instanceof Promise) names.then(retry).catch((thrown) => this.fail(internal(thrown)));
    else retry(names);
  }

  #openStream({ config, target }: CompiledFunction, identity: RequestIdentity | null): void {
    const { gateway, clock, maxResultBytes, streamStallTimeoutMs } = this.#sources;
    this.#stream = new StreamCall({
      gateway,
      requestId: this.request.requestId,
      name: config,
      target,
      args: this.args,
      identity,
      trace: this.trace,
      maxResultBytes,
      stallTimeoutMs: streamStallTimeoutMs,
      clock,
      executor: this.#streamExecutor,
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
    if (failure?.code === "internal") this.reportFault(failure);
    const hook = this.compiled?.afterExecute ?? null;
    if (hook === null) {
      this.#send(response, failure);
      return;
    }
    const { clock, maxResultBytes } = this.#sources;
    const answer = afterExecute(hook, this, { response, failure }, clock, maxResultBytes);
    if (answer instanceof Promise) {
      this.track();
      void answer.then((changed) => this.#send(changed.response, changed.failure));
    } else {
      this.#send(answer.response, answer.failure);
    }
  }

  #send(response: string, failure: Failure | null): void {
    this.#isSent = true;
    this.#sources.counts.add(failure);
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
    if (this.#startedAt >= 0 && telemetry.isEndActive) {
      telemetry.ended(this.identify(), this.route?.node ?? null, this.#durationMs, failure);
    }
  }

  get #durationMs(): number {
    return this.#startedAt < 0 ? 0 : this.#sources.clock.now() - this.#startedAt;
  }
}
