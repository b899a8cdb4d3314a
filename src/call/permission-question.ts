import type { RequestIdentity } from "../core/request-info.ts";
import type { CancelReason } from "../execution/worker-call.ts";
import { Attempt, type AttemptListener } from "./attempt.ts";
import type { Call } from "./call.ts";
import type { CallTarget, CompiledFunction } from "./functions/compile-function.ts";
import { hookRequestOf } from "./hook-request.ts";
import type { NestedCalls } from "./nested/nested-calls.ts";
import type { PipelineDeps } from "./pipeline-deps.ts";
import { type Failure, permissionDenied, unavailable } from "./request/failure.ts";
import type { Routed } from "./route.ts";

/**
 * A call's question to its function's `permissionCallback`, asked where the function itself would run. Only `true`
 * permits; a failure denies, unless the callback never ran or its thread or node died.
 */
export class PermissionQuestion implements AttemptListener, Routed {
  readonly #call: Call;
  readonly #compiled: CompiledFunction;
  readonly #callback: CallTarget;
  readonly #deps: PipelineDeps;
  readonly #onPermitted: () => void;
  #attempt: Attempt | null = null;

  constructor(
    call: Call,
    compiled: CompiledFunction,
    callback: CallTarget,
    deps: PipelineDeps,
    onPermitted: () => void,
  ) {
    this.#call = call;
    this.#compiled = compiled;
    this.#callback = callback;
    this.#deps = deps;
    this.#onPermitted = onPermitted;
  }

  /** Asks; the call continues or fails when the answer comes. */
  ask(): void {
    const { route } = this.#call;
    if (route === null) this.start();
    else route.run(this);
  }

  start(): void {
    const { config } = this.#compiled;
    const shown = hookRequestOf(this.#call.request, this.#call.caller, this.#compiled);
    const args = [shown, ...(config.permissionCallback?.args ?? [])];
    const { maxResultBytes, deadlines } = this.#deps;
    this.#call.attemptBegins("permission_callback");
    // Read now, since its span is that of the attempt.
    const { trace, caller } = this.#call;
    this.#attempt = new Attempt(config, this.#callback, args, null, trace, caller, maxResultBytes, this);
    this.#attempt.start(this.#call.executor, deadlines);
  }

  /** The call was answered: the callback's answer is not needed. */
  abort(reason: CancelReason, failure: Failure): void {
    this.#attempt?.abort(reason, failure);
  }

  onAttemptSucceeded(json: string): void {
    this.#call.attemptEnds(null);
    if (json === "true") this.#onPermitted();
    else this.#call.fail(permissionDenied);
  }

  nestedCalls(identity: RequestIdentity | null): NestedCalls {
    return this.#call.nestedCalls(identity);
  }

  onAttemptThrew(thrown: unknown): void {
    this.#call.onAttemptThrew(thrown);
  }

  onAttemptFailed(failure: Failure, begun: boolean): void {
    const { route, isAnswered } = this.#call;
    // The answer is no longer wanted.
    if (isAnswered) return;
    this.#call.attemptEnds(failure);
    if (!begun && route?.goElsewhere(this, failure)) return;
    // The callback never ran, or died: that is not an answer.
    if (failure.code === "unavailable") {
      this.#call.fail(unavailable);
      return;
    }
    // A GenApiError of its own is a way to say no; any other failure looks the same, but only to the client.
    if (failure.code !== "failed") this.#call.reportFault(failure);
    this.#call.fail(permissionDenied);
  }
}
