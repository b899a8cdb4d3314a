import type { RequestIdentity } from "../core/request-info.ts";
import type { CancelReason } from "../execution/worker-call.ts";
import { Attempt, type AttemptListener } from "./attempt.ts";
import type { Call } from "./call.ts";
import type { CallTarget, CompiledFunction } from "./functions/compile-function.ts";
import type { NestedCalls } from "./nested/nested-calls.ts";
import type { PipelineDeps } from "./pipeline-deps.ts";
import type { Failure } from "./request/failure.ts";

/**
 * The check of a call's arguments by the function's own schema, on the thread that would run the function: what would be
 * acknowledged before its function runs must not be acknowledged with wrong arguments. The function's handler reads
 * them again, since what a schema makes of them need not be able to travel.
 */
export class ArgumentsQuestion implements AttemptListener {
  readonly #call: Call;
  readonly #onAccepted: () => void;
  readonly #attempt: Attempt;
  readonly #deps: PipelineDeps;

  constructor(call: Call, { config }: CompiledFunction, check: CallTarget, deps: PipelineDeps, onAccepted: () => void) {
    this.#call = call;
    this.#deps = deps;
    this.#onAccepted = onAccepted;
    // After the FunConfig's own.
    const args = call.args.slice(config.mfa.args.length);
    call.attemptBegins("arguments_check");
    this.#attempt = new Attempt(config, check, args, null, call.trace, call.caller, deps.maxResultBytes, this);
  }

  /** Asks; the call continues or fails when the answer comes. */
  ask(): void {
    this.#attempt.start(this.#call.executor, this.#deps.deadlines);
  }

  /** The call was answered: this answer is not needed. */
  abort(reason: CancelReason, failure: Failure): void {
    this.#attempt.abort(reason, failure);
  }

  onAttemptSucceeded(): void {
    this.#call.attemptEnds(null);
    this.#onAccepted();
  }

  nestedCalls(identity: RequestIdentity | null): NestedCalls {
    return this.#call.nestedCalls(identity);
  }

  onAttemptThrew(thrown: unknown): void {
    this.#call.onAttemptThrew(thrown);
  }

  onAttemptFailed(failure: Failure): void {
    if (this.#call.isAnswered) return;
    this.#call.attemptEnds(failure);
    this.#call.fail(failure);
  }
}
