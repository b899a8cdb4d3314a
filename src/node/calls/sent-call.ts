import type { GenApiError } from "../../core/errors.ts";
import type { ConnectionPart } from "../../core/fair/parts.ts";
import { ConsumerCredit, windowSize } from "../../execution/stream-credit.ts";
import type { CancelReason, RunningStream, RunningTask } from "../../execution/worker-call.ts";
import type { Numbered } from "./call-slots.ts";
import type { NestedRemotes } from "./nested-remotes.ts";
import type { RemoteCall, RemoteStream } from "./remote-call.ts";

/** Sends the messages about a call that a node has. */
export interface SentOwner {
  cancel(pending: Sent, reason: CancelReason): void;
  grant(pending: Sent, chunks: number): void;
  acknowledge(pending: Sent, chunks: number): void;
  /** A caller's callback threw. */
  listenerThrew(pending: Sent, thrown: unknown): void;
}

/** A call or stream that a node has, from the gateway's side. */
export interface Sent extends Numbered {
  readonly target: RemoteCall | RemoteStream;
  /** The connection whose place at the node it uses. */
  readonly part: ConnectionPart<never>;
  /** The number of the message in which it leaves; infinite until it is in one. */
  message: number;
  /** The calls that its function makes; created for the first. */
  nested: NestedRemotes | null;
  failed(error: GenApiError, begun: boolean): void;
}

/** A call that a node has. */
export class SentCall implements Sent, RunningTask {
  readonly #owner: SentOwner;
  readonly target: RemoteCall;
  readonly part: ConnectionPart<never>;
  id = -1;
  message = Number.POSITIVE_INFINITY;
  nested: NestedRemotes | null = null;

  constructor(owner: SentOwner, call: RemoteCall, part: ConnectionPart<never>) {
    this.#owner = owner;
    this.target = call;
    this.part = part;
  }

  succeeded(json: string): void {
    try {
      this.target.succeeded(json);
    } catch (thrown) {
      this.#owner.listenerThrew(this, thrown);
    }
  }

  failed(error: GenApiError, begun: boolean): void {
    try {
      this.target.failed(error, begun);
    } catch (thrown) {
      this.#owner.listenerThrew(this, thrown);
    }
  }

  cancel(reason: CancelReason): void {
    this.#owner.cancel(this, reason);
  }
}

/** A stream that a node has: passes on its chunks, and sends its consumer's grants. */
export class SentStream implements Sent, RunningStream {
  readonly #owner: SentOwner;
  readonly #credit = new ConsumerCredit();
  readonly #window: number;
  readonly target: RemoteStream;
  readonly part: ConnectionPart<never>;
  id = -1;
  message = Number.POSITIVE_INFINITY;
  nested: NestedRemotes | null = null;

  /** @param window how many unconsumed chunks the node may send */
  constructor(owner: SentOwner, stream: RemoteStream, part: ConnectionPart<never>, window: number) {
    this.#owner = owner;
    this.target = stream;
    this.part = part;
    this.#window = window;
  }

  /** @returns false if the node exceeds its credit */
  chunk(json: string): boolean {
    // Twice the credit, since a function that sends in two ways at once may overdraw it.
    const most = this.#window * 2;
    if (this.#credit.chunks >= most || this.#credit.size >= windowSize(most)) return false;
    this.#credit.arrived(json.length);
    try {
      this.target.chunk(json);
    } catch (thrown) {
      this.#owner.listenerThrew(this, thrown);
    }
    return true;
  }

  ended(lastJson: string | null): void {
    try {
      this.target.ended(lastJson);
    } catch (thrown) {
      this.#owner.listenerThrew(this, thrown);
    }
  }

  failed(error: GenApiError, begun: boolean): void {
    try {
      this.target.failed(error, begun);
    } catch (thrown) {
      this.#owner.listenerThrew(this, thrown);
    }
  }

  grant(chunks: number): void {
    const refund = this.#credit.consume(chunks);
    if (refund > 0) this.#owner.grant(this, refund);
  }

  acknowledge(chunks: number): void {
    this.#owner.acknowledge(this, chunks);
  }

  cancel(reason: CancelReason): void {
    this.#owner.cancel(this, reason);
  }
}
