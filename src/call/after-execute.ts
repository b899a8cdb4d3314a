import type { Clock } from "../core/clock.ts";
import { encodeResult } from "../core/encode-result.ts";
import { type ErrorCode, isErrorCode } from "../core/errors.ts";
import { type Hook, runAfterHook } from "../policy/hooks.ts";
import type { CallIdentity } from "./call-telemetry.ts";
import type { Caller } from "./caller.ts";
import type { CompiledFunction } from "./compile-function.ts";
import { type Failure, refusal } from "./failure.ts";
import { hookRequestOf, isMap } from "./hook-request.ts";
import type { Request } from "./request.ts";
import type { Response } from "./response.ts";

/** The final Response of a request, and the failure that it tells; null for a success. */
export interface FinalAnswer {
  readonly response: string;
  readonly failure: Failure | null;
}

/** The call whose answer it is. */
interface AnsweredCall {
  readonly compiled: CompiledFunction | null;
  readonly request: Request;
  readonly caller: Caller;
  identify(): CallIdentity;
}

/**
 * What a FunConfig's `afterExecute` hook makes of a final answer: another one, or, when it fails, the same. The
 * Response is parsed for the hook alone: most calls have none.
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
  const original = JSON.parse(answer.response) as Response;
  const shown = hookRequestOf(request, caller, compiled);
  const accept = (value: unknown) => (isMap(value) ? changedAnswer(original, answer, value, maxResultBytes) : null);
  const context = { clock, identify: () => call.identify() };
  return runAfterHook(hook, shown, compiled.config, structuredClone(original), accept, answer, context);
}

/**
 * A hook may change what came of the request, not what a Response is: the request id and `async` stay, the last Response
 * stays the last, a field of the wrong type stays as it was, and a code that is none of the closed list becomes `failed`.
 *
 * @throws what JSON cannot hold, and what is longer than `maxResultBytes`
 */
function changedAnswer(
  original: Response,
  answer: FinalAnswer,
  changed: Record<string, unknown>,
  maxResultBytes: number,
): FinalAnswer {
  const { result, success, error, can_retry, error_code, reason, retry_after_ms } = changed;
  const text = (value: unknown, otherwise: string | null) => (typeof value === "string" ? value : otherwise);
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
    failure: isSuccess ? null : failureOf(code, response, answer.failure),
  };
}

function codeOf(given: unknown, original: Response): ErrorCode {
  const code = typeof given === "string" ? given : original.error_code;
  return isErrorCode(code) ? code : "failed";
}

/** The same failure where it still is one of that code: it knows its cause. */
function failureOf(code: ErrorCode, { error, can_retry }: Response, original: Failure | null): Failure {
  return original?.code === code ? original : refusal(code, error ?? "", can_retry);
}
