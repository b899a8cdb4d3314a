import { isDeepStrictEqual } from "node:util";
import type { FunConfig } from "../config/fun-config.ts";
import { isGenApiError } from "../core/errors.ts";
import { shown } from "../core/faults.ts";
import { quote } from "../core/quote.ts";
import { runBeforeHook } from "../policy/hooks.ts";
import { isPermitted } from "../policy/permission.ts";
import { Call } from "./call.ts";
import type { Caller, ReplyTo, RequestHandler } from "./caller.ts";
import type { CompiledFunction } from "./compile-function.ts";
import {
  type Failure,
  internal,
  invalidRequest,
  permissionDenied,
  rateLimited,
  refusal,
  replyErrorOf,
  unauthenticated,
  unavailable,
} from "./failure.ts";
import { findFunction } from "./find-function.ts";
import { acceptHookRequest, type HookRequest, hookRequestOf, isMap } from "./hook-request.ts";
import { PermissionQuestion } from "./permission-question.ts";
import type { PipelineSources } from "./pipeline-sources.ts";
import { parseRequest, requestIdOf, versionFault } from "./request.ts";
import { encodeFailure } from "./response.ts";

/** The stage started something; whoever finishes it lets the call proceed. */
const waiting = Symbol("waiting");

type StageResult = undefined | typeof waiting | Failure;
type Stage = (call: Call, compiled: CompiledFunction, sources: PipelineSources) => StageResult;

/**
 * The way of a request, top to bottom. A stage lets the call go on (undefined), keeps it waiting, or ends it with a
 * failure. It all runs synchronously until something must really be waited for. Whatever is refused is refused before
 * anything is acknowledged.
 */
const stages: readonly Stage[] = [
  beforeExecute,
  checkPermission,
  checkRateLimits,
  selectNodes,
  askPermissionCallback,
  checkArguments,
  execute,
];

/** Takes requests through {@link stages} and answers each with exactly one final Response. */
export class Pipeline implements RequestHandler {
  readonly #sources: PipelineSources;
  #isDraining = false;

  constructor(sources: PipelineSources) {
    this.#sources = sources;
  }

  handle(payload: unknown, bytes: number, caller: Caller, replyTo: ReplyTo): void {
    // Before anything is read: who is nobody is told so, whatever was sent.
    if (caller.requireVerifiedUserId && caller.userId === null) {
      this.#refuse(requestIdOf(payload), unauthenticated, replyTo);
      return;
    }
    const { maxPayloadBytes } = this.#sources;
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
    const call = new Call(request, caller, replyTo, this.#sources);
    const isRefused = this.#isDraining || caller.calls.isFull;
    const refused = isRefused ? unavailable : resolveFunction(call, this.#sources);
    if (refused === undefined) proceed(call, this.#sources);
    else call.fail(refused);
  }

  /** From now on every new request is `unavailable`; those under way go on. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Whether it has been told to {@link drain}. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** A payload that is no request, or nobody's. */
  #refuse(requestId: string, failure: Failure, replyTo: ReplyTo): void {
    this.#sources.counts.add(failure);
    const response = encodeFailure(requestId, failure, this.#sources.detailError());
    replyTo.answer(response, "error", quote(replyErrorOf(failure) ?? failure.message));
  }
}

/** Takes a call through the stages that are left, until one has to wait. */
function proceed(call: Call, sources: PipelineSources): void {
  try {
    while (call.stage < stages.length && !call.isAnswered && call.compiled !== null) {
      const result = stages[call.stage++]?.(call, call.compiled, sources);
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
    // A fault of the gateway's own: this request is told so, and nobody else notices.
    const failure = internal(thrown);
    if (call.isAnswered) call.reportFault(failure);
    else call.fail(failure);
  }
}

/** Finds the function that a request names. */
function resolveFunction(call: Call, sources: PipelineSources): Failure | undefined {
  const { service, requestType, version } = call.request;
  const found = findFunction(sources, service, requestType, version);
  if (typeof found !== "string") {
    call.compiled = found;
    return undefined;
  }
  const named = `${requestType} version ${version ?? "latest"}`;
  if (found === "disabled") return refusal("disabled", `disabled function: ${named}`);
  const fault = versionFault(version);
  if (fault !== null) return fault;
  return sources.isExpected(service) ? unavailable : refusal("not_found", `unsupported function: ${named}`);
}

/** The FunConfig's hook may refuse the request, change its arguments, or change how it is executed. */
function beforeExecute(call: Call, compiled: CompiledFunction, sources: PipelineSources): StageResult {
  const hook = compiled.beforeExecute;
  if (hook === null) return undefined;
  const shown = hookRequestOf(call.request, call.caller, compiled);
  const accept = {
    request: (value: unknown) => acceptHookRequest(shown, value),
    funConfig: (value: unknown) => (isMap(value) ? (value as FunConfig) : null),
  };
  const context = { clock: sources.clock, identify: () => call.identify() };
  const outcome = runBeforeHook<HookRequest, FunConfig>(hook, shown, compiled.config, accept, context);
  if (!(outcome instanceof Promise) && isGenApiError(outcome)) return outcome;
  if (!(outcome instanceof Promise) && outcome.funConfig === compiled.config) {
    call.request = { ...call.request, args: outcome.request.args };
    return undefined;
  }
  void Promise.resolve(outcome)
    .then(async (settled) => {
      if (isGenApiError(settled)) return settled;
      call.request = { ...call.request, args: settled.request.args };
      if (settled.funConfig !== compiled.config) call.compiled = await recompile(settled.funConfig, compiled, sources);
      return undefined;
    })
    .then(
      (refused) => (refused === undefined ? proceed(call, sources) : call.fail(refused)),
      (thrown) => call.fail(internal(thrown)),
    );
  return waiting;
}

/** A hook changes how a function is executed, not its name or its hooks. */
async function recompile(changed: FunConfig, compiled: CompiledFunction, sources: PipelineSources) {
  const { service, requestType, version, nodes, nodesTtlMs, beforeExecute, afterExecute } = compiled.config;
  const config = { ...changed, service, requestType, version, beforeExecute, afterExecute };
  const recompiled = await sources.compile(config);
  const isElsewhere = !isDeepStrictEqual([changed.nodes, changed.nodesTtlMs], [nodes, nodesTtlMs]);
  // What a resolver has answered holds on.
  return isElsewhere ? recompiled : { ...recompiled, nodes: compiled.nodes };
}

/** The built-in permission modes; a callback of the FunConfig's takes their place. */
function checkPermission(call: Call, { config, permissionCallback }: CompiledFunction): StageResult {
  if (permissionCallback !== null) return undefined;
  const permitted = isPermitted(config.checkPermission, call.caller, call.request.args, config.argOrders);
  return permitted ? undefined : permissionDenied;
}

/** Counts the request by every limit that applies to it, unless one refuses it: then none does. */
function checkRateLimits(
  { caller, request }: Call,
  _compiled: CompiledFunction,
  sources: PipelineSources,
): StageResult {
  const { userId, deviceId, ipAddress } = caller;
  const { service, requestType, args } = request;
  const decision = sources.rateLimiter.check({ service, requestType, userId, deviceId, ipAddress, args });
  return decision.allowed ? undefined : rateLimited(decision.retryAfterMs);
}

/** Where the function runs: here, or on one of its nodes that live, as its FunConfig's `chooseNodeMode` says. */
function selectNodes(call: Call, compiled: CompiledFunction, sources: PipelineSources): StageResult {
  if (compiled.nodes === null) return undefined;
  const names = compiled.nodes.names();
  if (!(names instanceof Promise)) return call.selectNode(compiled, names) ? undefined : unavailable;
  names
    .then((resolved) => {
      if (call.isAnswered) return;
      if (call.selectNode(compiled, resolved)) proceed(call, sources);
      else call.fail(unavailable);
    })
    .catch((thrown) => call.fail(internal(thrown)));
  return waiting;
}

/** Asks the FunConfig's own permission function, where the function itself would run. Only `true` permits. */
function askPermissionCallback(call: Call, compiled: CompiledFunction, sources: PipelineSources): StageResult {
  const { permissionCallback } = compiled;
  if (permissionCallback === null) return undefined;
  const question = new PermissionQuestion(call, compiled, permissionCallback, sources, () => proceed(call, sources));
  call.question = question;
  question.ask();
  return waiting;
}

/** Validates the arguments and puts them in the function's order. */
function checkArguments(call: Call, { validate, config }: CompiledFunction): StageResult {
  const args = validate(call.request.args);
  if (isGenApiError(args)) return args;
  const first = config.mfa.args;
  call.args = first.length === 0 ? args : [...first, ...args];
  return undefined;
}

/** Runs the function, again as its FunConfig's `retry` says; the call answers itself, and acknowledges what is long. */
function execute(call: Call, { config }: CompiledFunction): StageResult {
  if (config.responseType === "stream" && call.caller.calls.hasStream(call.requestId)) {
    return invalidRequest(`A stream with request_id ${shown(call.requestId)} is live on this channel`);
  }
  call.execute();
  return waiting;
}
