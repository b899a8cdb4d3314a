import type { CancelReason } from "../../execution/worker-call.ts";
import type { KeyedCall, KeyedRequest } from "../idempotency/keyed-call.ts";
import { cancelled, type Failure } from "../request/failure.ts";
import { RunningCalls } from "../request/running-calls.ts";
import type { Message } from "./other-gateway.ts";

/** A request of another gateway's client, which waits for the call that has its key here. It never executes anything. */
export class VisitingCall implements KeyedRequest {
  readonly requestId: string;
  readonly caller = { calls: new RunningCalls() };
  readonly isStream = false;
  readonly resumeToken = null;
  readonly #keyed: KeyedCall;
  /** Its other gateway is told. */
  readonly #tell: (...message: Message) => void;
  /** It is told nothing more. */
  readonly #end: () => void;

  constructor(requestId: string, keyed: KeyedCall, tell: (...message: Message) => void, end: () => void) {
    this.requestId = requestId;
    this.#keyed = keyed;
    this.#tell = tell;
    this.#end = end;
  }

  wait(): void {
    this.#keyed.join(this, () => this.#free());
  }

  onJoined(): void {
    this.#tell("joined", this.#keyed.resumeToken);
  }

  onSettled(response: string, failure: Failure | null): void {
    this.#end();
    this.#tell("settled", response, failure === null ? null : { ...failure, cause: undefined }, false);
  }

  /** As if the request had been made here. */
  cancel(): void {
    if (!this.#keyed.takesAbort(this, "cancelled", cancelled)) this.abort("cancelled", cancelled);
  }

  leave(): void {
    this.#end();
    this.#keyed.leave(this);
  }

  outliveClient(): void {
    // It is counted where its client is.
  }

  abort(_reason: CancelReason, failure: Failure): void {
    this.leave();
    this.#tell("refused", failure);
  }

  /** Nothing was executed, and it is this request's turn: its own gateway may execute it, and the others have theirs. */
  #free(): void {
    this.#end();
    this.#tell("vacant");
    this.#keyed.answered(this, "", null, false);
  }
}
