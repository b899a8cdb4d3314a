import type { GenApiError } from "../core/errors.ts";
import { ConsumerCredit, streamWindow, streamWindowSize } from "../worker/stream-credit.ts";
import type { CancelReason, RunningStream, RunningTask } from "../worker/worker-call.ts";
import type { Numbered } from "./call-slots.ts";
import type { RemoteCall, RemoteStream } from "./remote-call.ts";

/** Who sends what concerns a call that a node has. */
export interface PendingOwner {
  cancel(pending: Pending, reason: CancelReason): void;
  grant(pending: Pending, chunks: number): void;
}

/** A call or stream that a node has, from the gateway's side. */
export interface Pending extends Numbered {
  readonly target: RemoteCall | RemoteStream;
  /** The number of the message in which it leaves; infinite until it is in one. */
  message: number;
  failed(error: GenApiError, begun: boolean): void;
}

/** A call that a node has. */
export class PendingCall implements Pending, RunningTask {
  readonly #owner: PendingOwner;
  readonly target: RemoteCall;
  id = -1;
  message = Number.POSITIVE_INFINITY;

  constructor(owner: PendingOwner, call: RemoteCall) {
    this.#owner = owner;
    this.target = call;
  }

  succeeded(json: string): void {
    this.target.succeeded(json);
  }

  failed(error: GenApiError, begun: boolean): void {
    this.target.failed(error, begun);
  }

  cancel(reason: CancelReason): void {
    this.#owner.cancel(this, reason);
  }
}

/** A stream that a node has: hands its chunks on, and sends what its consumer grants. */
export class PendingStream implements Pending, RunningStream {
  readonly #owner: PendingOwner;
  readonly #credit = new ConsumerCredit();
  readonly target: RemoteStream;
  id = -1;
  message = Number.POSITIVE_INFINITY;

  constructor(owner: PendingOwner, stream: RemoteStream) {
    this.#owner = owner;
    this.target = stream;
  }

  /** @returns false when the node sends what it has no credit for */
  chunk(json: string): boolean {
    // Twice the credit, since a function that sends in two ways at once may overdraw it.
    if (this.#credit.chunks >= streamWindow * 2 || this.#credit.size >= streamWindowSize * 2) return false;
    this.#credit.arrived(json.length);
    this.target.chunk(json);
    return true;
  }

  ended(lastJson: string | null): void {
    this.target.ended(lastJson);
  }

  failed(error: GenApiError, begun: boolean): void {
    this.target.failed(error, begun);
  }

  grant(chunks: number): void {
    const refund = this.#credit.consume(chunks);
    if (refund > 0) this.#owner.grant(this, refund);
  }

  cancel(reason: CancelReason): void {
    this.#owner.cancel(this, reason);
  }
}
