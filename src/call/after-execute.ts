import type { Clock } from "../core/clock.ts";
import { encodeResult } from "../core/encode-result.ts";
import { type Hook, runAfterHook } from "../policy/hooks.ts";
import type { CallIdentity } from "./call-telemetry.ts";
import type { Caller } from "./caller.ts";
import type { CompiledFunction } from "./compile-function.ts";
import { hookRequestOf, isMap } from "./hook-request.ts";
import type { Request } from "./request.ts";
import type { Response } from "./response.ts";

/** The call whose Response it is. */
interface AnsweredCall {
  readonly compiled: CompiledFunction | null;
  readonly request: Request;
  readonly caller: Caller;
  identify(): CallIdentity;
}

/**
 * What a FunConfig's `afterExecute` hook makes of a final Response: another one, or, when it fails, the same. The
 * Response is parsed for the hook alone: most calls have none.
 *
 * @returns the Response to send, a promise only if the hook returned one
 */
export function afterExecute(
  hook: Hook,
  call: AnsweredCall,
  encoded: string,
  clock: Clock,
  maxResultBytes: number,
): string | Promise<string> {
  const { compiled, request, caller } = call;
  if (compiled === null) return encoded;
  const original = JSON.parse(encoded) as Response;
  const shown = hookRequestOf(request, caller, compiled);
  const accept = (value: unknown) => (isMap(value) ? encodeChanged(original, value, maxResultBytes) : null);
  const context = { clock, identify: () => call.identify() };
  const changed = runAfterHook<string | Response>(
    hook,
    shown,
    compiled.config,
    structuredClone(original),
    accept,
    context,
  );
  const textOf = (given: string | Response) => (typeof given === "string" ? given : encoded);
  return changed instanceof Promise ? changed.then(textOf) : textOf(changed);
}

/**
 * A hook may change what came of the request, not what a Response is: the request id stays, the last Response stays the
 * last, and a field of the wrong type stays as it was.
 *
 * @throws what JSON cannot hold, and what is longer than `maxResultBytes`
 */
function encodeChanged(original: Response, changed: Record<string, unknown>, maxResultBytes: number): string {
  const { result, success, error, async, can_retry, error_code, reason, retry_after_ms } = changed;
  const text = (value: unknown, otherwise: string | null) => (typeof value === "string" ? value : otherwise);
  const flag = (value: unknown, otherwise: boolean) => (typeof value === "boolean" ? value : otherwise);
  const isSuccess = flag(success, original.success);
  const response: Response = {
    request_id: original.request_id,
    result: null,
    success: isSuccess,
    error: isSuccess ? null : text(error, original.error),
    async: flag(async, original.async),
    has_more: false,
    can_retry: flag(can_retry, original.can_retry),
    ...(isSuccess
      ? {}
      : {
          error_code: text(error_code, original.error_code ?? "failed") ?? "failed",
          ...(text(reason, null) !== null && { reason: String(reason) }),
        }),
    ...(!isSuccess && Number.isFinite(retry_after_ms) ? { retry_after_ms: retry_after_ms as number } : {}),
  };
  const json = encodeResult(result, maxResultBytes);
  return JSON.stringify(response).replace('"result":null', () => `"result":${json}`);
}
