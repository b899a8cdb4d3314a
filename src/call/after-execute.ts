import type { Clock } from "../core/clock.ts";
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
export function afterExecute(hook: Hook, call: AnsweredCall, encoded: string, clock: Clock): string | Promise<string> {
  const { compiled, request, caller } = call;
  if (compiled === null) return encoded;
  const original = JSON.parse(encoded) as Response;
  const shown = hookRequestOf(request, caller, compiled);
  const accept = (value: unknown) => (isMap(value) ? encodeChanged(original, value) : null);
  const context = { clock, identify: () => call.identify() };
  const changed = runAfterHook<string | Response>(hook, shown, compiled.config, original, accept, context);
  const textOf = (given: string | Response) => (typeof given === "string" ? given : encoded);
  return changed instanceof Promise ? changed.then(textOf) : textOf(changed);
}

/** The request id stays, and so does every field that the hook left out. @throws what JSON cannot hold */
function encodeChanged(original: Response, changed: Record<string, unknown>): string {
  const result = changed.result === undefined ? null : changed.result;
  return JSON.stringify({ ...original, ...changed, result, request_id: original.request_id });
}
