import { type ErrorCode, isErrorCode } from "../core/errors.ts";
import { errorText } from "../core/foreign/error-text.ts";
import { isMap } from "../core/is-map.ts";
import type { Clock } from "../core/time/clock.ts";
import { encodeResult } from "../execution/encode-result.ts";
import { type Hook, runAfterHook } from "../policy/hooks.ts";
import type { CallIdentity } from "./call-telemetry.ts";
import type { CompiledFunction } from "./functions/compile-function.ts";
import { hookRequestOf } from "./hook-request.ts";
import type { Caller } from "./request/caller.ts";
import { type Failure, refusal } from "./request/failure.ts";
import type { Request } from "./request/request.ts";
import type { Response } from "./request/response.ts";

/** The final Response of a request, and its failure; null for a success. */
export interface FinalAnswer {
  readonly response: string;
  readonly failure: Failure | null;
}

/** The parts of a Response that the hook cannot change. */
type Unchanged = Omit<Response, "result">;

/** The call being answered. */
interface AnsweredCall {
  readonly compiled: CompiledFunction | null;
  readonly request: Request;
  readonly caller: Caller;
  identify(): CallIdentity;
}

/**
 * Passes a final answer through a FunConfig's `afterExecute` hook, which may replace it; if the hook fails, the answer
 * stays. The Response is parsed only for the hook: most calls have none.
 *
 * @returns the answer to send, a promise only if the hook returned one
 */
export function afterExecute(
  hook: Hook,
  call: AnsweredCall,
  answer: FinalAnswer,
  clock: Clock,
  maxResultBytes: number,
): FinalAnswer | Promise<FinalAnswer> {
  const { compiled, request, caller } = call;
  if (compiled === null) return answer;
  const response = JSON.parse(answer.response) as Response;
  // The hook may change the Response it receives, and may return the same object.
  const { result: _, ...original } = response;
  const shown = hookRequestOf(request, caller, compiled);
  const accept = (value: unknown) => (isMap(value) ? changedAnswer(original, answer, value, maxResultBytes) : null);
  const context = { clock, identify: () => call.identify() };
  return runAfterHook(hook, shown, compiled.config, response, accept, answer, context);
}

/**
 * The hook's Response, restored to a valid one: a hook may change the outcome of the request, not what a Response is.
 * The request id and `async` stay, the last Response stays the last, a field of the wrong type keeps its old value, and
 * a code outside the closed list becomes `failed`.
 *
 * @throws for values that JSON cannot hold, and for results longer than `maxResultBytes`
 */
function changedAnswer(
  original: Unchanged,
  answer: FinalAnswer,
  changed: Record<string, unknown>,
  maxResultBytes: number,
): FinalAnswer {
  const { result, success, error, can_retry, error_code, reason, retry_after_ms } = changed;
  const text = (value: unknown, otherwise: string | null) => (typeof value === "string" ? errorText(value) : otherwise);
  const flag = (value: unknown, otherwise: boolean) => (typeof value === "boolean" ? value : otherwise);
  const isSuccess = flag(success, original.success);
  const code = codeOf(error_code, original);
  const told = text(reason, null);
  const response: Response = {
    request_id: original.request_id,
    result: null,
    success: isSuccess,
    error: isSuccess ? null : text(error, original.error),
    async: original.async,
    has_more: false,
    can_retry: flag(can_retry, original.can_retry),
    ...(isSuccess ? {} : { error_code: code, ...(told !== null && { reason: told }) }),
    ...(!isSuccess && Number.isFinite(retry_after_ms) ? { retry_after_ms: retry_after_ms as number } : {}),
  };
  const json = encodeResult(result, maxResultBytes);
  return {
    response: JSON.stringify(response).replace('"result":null', () => `"result":${json}`),
    failure: isSuccess ? null : changedFailure(code, response, answer.failure),
  };
}

function codeOf(given: unknown, original: Unchanged): ErrorCode {
  const code = typeof given === "string" ? given : original.error_code;
  return isErrorCode(code) ? code : "failed";
}

/** The original failure if the code is still the same, because it knows its cause. */
function changedFailure(code: ErrorCode, { error, can_retry }: Response, original: Failure | null): Failure {
  return original?.code === code ? original : refusal(code, error ?? "", can_retry);
}
