import type { Failure } from "../request/failure.ts";
import type { Message, OtherGateway, Question } from "./other-gateway.ts";

/** A request whose key another gateway has. */
export interface AskingRequest {
  readonly requestId: string;
  /**
   * The call that has its key was accepted.
   * @param resumeToken of its stream; null if it is none
   */
  onJoinedElsewhere(resumeToken: string | null): void;
  /**
   * That call has ended.
   * @param response under this request's id
   * @param isReplayed whether it had ended before
   */
  onSettledElsewhere(response: string, failure: Failure | null, isReplayed: boolean): void;
  /** It cannot have what that call ended with. */
  fail(failure: Failure): void;
}

/** The key of a request, as gateways tell it each other. */
export interface AskedKey {
  readonly key: string;
  readonly digest: string;
  readonly version: string | null;
}

/** A request that waits for the call that has its key, on another gateway. */
export class AskedCall implements Question {
  readonly #request: AskingRequest;
  readonly #key: AskedKey;
  readonly #other: OtherGateway;
  readonly #free: (isGone: boolean) => void;
  readonly #lost: () => void;
  readonly #id: number;
  readonly isPatient = true;
  #isJoined = false;
  #isCancelled = false;

  /**
   * @param free called once if the other gateway knows nothing of the key, or is gone and may never have begun
   * @param lost called once if nobody knows whether the function ran, or runs
   */
  constructor(
    request: AskingRequest,
    { key, digest, version }: AskedKey,
    other: OtherGateway,
    free: (isGone: boolean) => void,
    lost: () => void,
  ) {
    this.#request = request;
    this.#key = { key, digest, version };
    this.#other = other;
    this.#free = free;
    this.#lost = lost;
    this.#id = other.ask(this);
  }

  begin(): readonly Message[] {
    const { key, digest, version } = this.#key;
    const join: Message = ["join", this.#request.requestId, key, digest, version];
    return this.#isCancelled ? [join, ["cancel"]] : [join];
  }

  /** The request is cancelled, and with it the call. Its Response follows. */
  cancel(): void {
    this.#isCancelled = true;
    this.#other.tell(this.#id, "cancel");
  }

  /** The request does not wait any more. */
  leave(): void {
    this.#other.tell(this.#id, "leave");
    this.#other.end(this.#id);
  }

  heard(kind: string, fields: readonly unknown[]): void {
    if (kind === "joined") {
      this.#isJoined = true;
      // A stream is not waited for: it moves here.
      if (fields[0] !== null) this.leave();
      this.#request.onJoinedElsewhere(fields[0] as string | null);
      return;
    }
    this.#other.end(this.#id);
    if (kind === "settled") {
      const [response, failure, isReplayed] = fields as [string, Failure | null, boolean];
      this.#request.onSettledElsewhere(response, failure, isReplayed);
    } else if (kind === "refused") {
      this.#request.fail(fields[0] as Failure);
    } else {
      this.#free(false);
    }
  }

  lost(isGone: boolean): void {
    if (isGone && !this.#isJoined) this.#free(true);
    else this.#lost();
  }
}
