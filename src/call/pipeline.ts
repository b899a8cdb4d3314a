import type { ConfigStore } from "../config/config-store.ts";
import type { Clock } from "../core/clock.ts";
import type { Deadlines } from "../core/deadlines.ts";
import { isGenApiError, toError } from "../core/errors.ts";
import { quote } from "../core/quote.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import { isPermitted } from "../policy/permission.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { Attempt, type AttemptOwner, type Executor } from "./attempt.ts";
import type { Caller, ReplyTo, RequestHandler } from "./caller.ts";
import type { CompiledFunction } from "./compile-function.ts";
import {
  type Failure,
  internal,
  invalidRequest,
  permissionDenied,
  refusal,
  replyErrorOf,
  unauthenticated,
  unavailable,
} from "./failure.ts";
import { parseRequest, type Request, requestIdOf, versionFault } from "./request.ts";
import { encodeFailure, encodeSuccess } from "./response.ts";
import type { AbortReason, RunningCall, RunningCalls } from "./running-calls.ts";

/** What the pipeline needs of the gateway. */
export interface PipelineSources {
  readonly gateway: string;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Every call that waits for its function, whoever sent it. */
  readonly running: RunningCalls;
  /** Read at every request: the table may be replaced when its owner restarts. */
  readonly functions: () => ConfigStore<CompiledFunction>;
  readonly executors: { readonly main: Executor; readonly worker: Executor };
  readonly maxPayloadBytes: number;
  readonly maxResultBytes: number;
  readonly detailError: () => boolean;
}

const requestStart = telemetryEvent("executor.request.start");
const requestStop = telemetryEvent("executor.request.stop");
const requestException = telemetryEvent("executor.request.exception");

/** The stage started something; whoever finishes it calls back. */
const waiting = Symbol("waiting");

type StageResult = undefined | typeof waiting | Failure;

/**
 * The way of a request, top to bottom. A stage lets the call go on (undefined), keeps it waiting, or ends it with a
 * failure. It all runs synchronously until something must really be waited for.
 */
const stages: readonly ((call: Call, sources: PipelineSources) => StageResult)[] = [
  resolveFunction,
  checkPermission,
  checkArguments,
  execute,
];

/** Takes requests through {@link stages} and answers each with exactly one final Response. */
export class Pipeline implements RequestHandler {
  readonly #sources: PipelineSources;
  #draining = false;

  constructor(sources: PipelineSources) {
    this.#sources = sources;
  }

  handle(payload: unknown, bytes: number, caller: Caller, replyTo: ReplyTo): void {
    const { maxPayloadBytes } = this.#sources;
    if (bytes > maxPayloadBytes) {
      const problem = `Request payload exceeds maximum size of ${maxPayloadBytes} bytes (got ${bytes} bytes)`;
      this.#refuse(requestIdOf(payload), invalidRequest(problem), replyTo);
      return;
    }
    const request = parseRequest(payload);
    if ("code" in request) this.#refuse(requestIdOf(payload), request, replyTo);
    else if (this.#draining) this.#refuse(request.requestId, unavailable, replyTo, request.requestType);
    else new Call(request, caller, replyTo, this.#sources).advance();
  }

  /** From now on every new request is `unavailable`; those under way go on. */
  drain(): void {
    this.#draining = true;
  }

  #refuse(requestId: string, failure: Failure, replyTo: ReplyTo, requestType = ""): void {
    answerFailure(replyTo, requestId, requestType, failure, this.#sources.detailError());
  }
}

/** A request on its way through the stages. */
class Call implements RunningCall, AttemptOwner {
  readonly request: Request;
  readonly caller: Caller;
  readonly replyTo: ReplyTo;
  readonly startedAt: number;
  compiled: CompiledFunction | null = null;
  args: readonly unknown[] = [];
  attempt: Attempt | null = null;
  readonly #sources: PipelineSources;
  #stage = 0;
  #answered = false;

  constructor(request: Request, caller: Caller, replyTo: ReplyTo, sources: PipelineSources) {
    this.request = request;
    this.caller = caller;
    this.replyTo = replyTo;
    this.#sources = sources;
    this.startedAt = requestStop.active || requestException.active ? sources.clock.now() : 0;
    if (requestStart.active) requestStart.emit({ system_time: sources.clock.systemTime() }, this.identify());
  }

  get requestId(): string {
    return this.request.requestId;
  }

  /** Goes on with the next stage, and with those after it until one has to wait. */
  advance(): void {
    try {
      while (this.#stage < stages.length) {
        const stage = stages[this.#stage++];
        const result = stage?.(this, this.#sources);
        if (result === waiting) return;
        if (result !== undefined) {
          this.#fail(result);
          return;
        }
      }
    } catch (thrown) {
      // A fault of the gateway's own: this request is told so, and nobody else notices.
      this.#fail(internal(thrown));
    }
  }

  attemptSucceeded(json: string): void {
    this.#left();
    if (this.#answered) return;
    this.#answered = true;
    const { requestId, requestType } = this.request;
    this.replyTo.answer(encodeSuccess(requestId, json), "ok", quote(requestType));
    this.#report(null);
  }

  attemptFailed(failure: Failure): void {
    this.#left();
    this.#fail(failure);
  }

  abort(reason: AbortReason): void {
    this.attempt?.abort(reason);
  }

  identify() {
    const { requestId, service, requestType, version } = this.request;
    return {
      gateway: this.#sources.gateway,
      request_id: requestId,
      service,
      request_type: requestType,
      version: this.compiled?.config.version ?? version,
      response_type: this.compiled?.config.responseType ?? null,
    };
  }

  /** The attempt is over: nothing may end it a second time. */
  #left(): void {
    const deadline = this.attempt?.deadline;
    if (deadline) this.#sources.deadlines.cancel(deadline);
    this.caller.calls.delete(this);
    this.#sources.running.delete(this);
  }

  #fail(failure: Failure): void {
    if (this.#answered) return;
    this.#answered = true;
    const { requestId, requestType } = this.request;
    answerFailure(this.replyTo, requestId, requestType, failure, this.#sources.detailError());
    this.#report(failure);
  }

  #report(failure: Failure | null): void {
    if (!requestStop.active && !requestException.active) return;
    const measurements = { duration_us: Math.round((this.#sources.clock.now() - this.startedAt) * 1000) };
    if (failure?.code === "internal") {
      requestException.emit(measurements, { ...this.identify(), error: toError(failure.cause ?? failure.message) });
    }
    const outcome = { success: failure === null, error_code: failure?.code ?? null };
    requestStop.emit(measurements, { ...this.identify(), ...outcome });
  }
}

function resolveFunction(call: Call, sources: PipelineSources): StageResult {
  const { service, requestType, version } = call.request;
  const entry = sources.functions().resolve(service, requestType, version);
  if (typeof entry !== "string") {
    call.compiled = entry;
    return undefined;
  }
  const named = `${requestType} version ${version ?? "latest"}`;
  return entry === "disabled"
    ? refusal("disabled", `disabled function: ${named}`)
    : (versionFault(version) ?? refusal("not_found", `unsupported function: ${named}`));
}

function checkPermission(call: Call): StageResult {
  const { caller, compiled, request } = call;
  if (compiled === null) return undefined;
  if (caller.requireVerifiedUserId && caller.userId === null) return unauthenticated;
  return isPermitted(compiled.config.checkPermission, caller, request.args, compiled.config.argOrders)
    ? undefined
    : permissionDenied;
}

function checkArguments(call: Call): StageResult {
  const { compiled } = call;
  if (compiled === null) return undefined;
  const args = compiled.validate(call.request.args);
  if (isGenApiError(args)) return args;
  const first = compiled.config.mfa.args;
  call.args = first.length === 0 ? args : [...first, ...args];
  return undefined;
}

function execute(call: Call, sources: PipelineSources): StageResult {
  const { compiled, caller } = call;
  if (compiled === null) return undefined;
  const { config } = compiled;
  const executor = sources.executors[config.runOn];
  const identity = config.requestInfo ? identityOf(call) : null;
  const attempt = new Attempt(compiled, call.args, identity, sources.maxResultBytes, executor, call);
  call.attempt = attempt;
  attempt.start();
  // A function of the main thread has often answered by now: then there is nothing to wait for, time or cancel.
  if (attempt.isSettled) return waiting;
  caller.calls.add(call);
  sources.running.add(call);
  if (compiled.timeoutMs !== null) attempt.deadline = sources.deadlines.after(compiled.timeoutMs, attempt);
  return waiting;
}

function identityOf({ caller, compiled, request }: Call): RequestIdentity {
  const claimed = caller.overrideUserId ? null : request.claimedUserId;
  return {
    requestId: request.requestId,
    requestType: request.requestType,
    service: request.service,
    version: compiled?.config.version ?? null,
    userId: claimed ?? caller.userId,
    userIdVerified: claimed === null,
    deviceId: caller.overrideUserId ? caller.deviceId : (request.claimedDeviceId ?? caller.deviceId),
    userRoles: caller.userRoles,
    trace: caller.trace,
  };
}

function answerFailure(
  replyTo: ReplyTo,
  requestId: string,
  requestType: string,
  failure: Failure,
  detailError: boolean,
): void {
  const response = encodeFailure(requestId, failure, detailError);
  const replyError = replyErrorOf(failure);
  if (replyError === null) replyTo.answer(response, "ok", quote(requestType));
  else replyTo.answer(response, "error", quote(replyError));
}
