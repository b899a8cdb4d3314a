import type { CancelReason } from "../worker/worker-call.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import type { Call } from "./call.ts";
import type { CompiledFunction, Target } from "./compile-function.ts";
import { type Failure, permissionDenied, unavailable } from "./failure.ts";
import { hookRequestOf } from "./hook-request.ts";
import type { PipelineSources } from "./pipeline-sources.ts";
import type { Routed } from "./route.ts";

/**
 * A call's question to its function's `permissionCallback`, asked where the function itself would run. Only `true`
 * permits; a failure denies, unless nobody could be asked or whoever was asked died.
 */
export class PermissionQuestion implements AttemptOwner, Routed {
  readonly #call: Call;
  readonly #compiled: CompiledFunction;
  readonly #callback: Target;
  readonly #sources: PipelineSources;
  readonly #onPermitted: () => void;
  #attempt: Attempt | null = null;

  constructor(
    call: Call,
    compiled: CompiledFunction,
    callback: Target,
    sources: PipelineSources,
    onPermitted: () => void,
  ) {
    this.#call = call;
    this.#compiled = compiled;
    this.#callback = callback;
    this.#sources = sources;
    this.#onPermitted = onPermitted;
  }

  /** Asks; the call goes on or fails when the answer comes. */
  ask(): void {
    const { route } = this.#call;
    if (route === null) this.start();
    else route.run(this);
  }

  start(): void {
    const { config } = this.#compiled;
    const shown = hookRequestOf(this.#call.request, this.#call.caller, this.#compiled);
    const args = [shown, ...(config.permissionCallback?.args ?? [])];
    const { maxResultBytes, deadlines } = this.#sources;
    this.#call.attemptBegins("permission_callback");
    this.#attempt = new Attempt(config, this.#callback, args, null, this.#call.trace, maxResultBytes, this);
    this.#attempt.start(this.#call.executor, deadlines);
  }

  /** The call was answered: nobody waits for what the callback says. */
  abort(reason: CancelReason, failure: Failure): void {
    this.#attempt?.abort(reason, failure);
  }

  attemptSucceeded(json: string): void {
    this.#call.attemptEnds(null);
    if (json === "true") this.#onPermitted();
    else this.#call.fail(permissionDenied);
  }

  attemptFailed(failure: Failure, begun: boolean): void {
    const { route, isAnswered } = this.#call;
    // Nobody waits for the answer any more.
    if (isAnswered) return;
    this.#call.attemptEnds(failure);
    if (!begun && route?.goElsewhere(this, failure)) return;
    // Nobody was asked, or whoever was is dead: that is no answer.
    if (failure.code === "unavailable") {
      this.#call.fail(unavailable);
      return;
    }
    // A GenApiError of its own is a way to say no; to the client alone whatever else it failed with looks like one too.
    if (failure.code !== "failed") this.#call.reportFault(failure);
    this.#call.fail(permissionDenied);
  }
}
