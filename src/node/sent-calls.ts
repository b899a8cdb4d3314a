import { type GenApiError, toError } from "../core/errors.ts";
import { internalError } from "../worker/thrown-data.ts";
import type { CancelReason, RunningStream, RunningTask } from "../worker/worker-call.ts";
import { NumberedCalls } from "./call-slots.ts";
import { Definitions } from "./definitions.ts";
import { encodeEntry, encodeForeign } from "./frame-codec.ts";
import { packIdentity } from "./identity-codec.ts";
import { isJsonText } from "./json-scan.ts";
import { fromNode, maxCallsInFlight, toNode, toNodeLimits } from "./node-protocol.ts";
import type { Outbox } from "./outbox.ts";
import { type Pending, PendingCall, type PendingOwner, PendingStream } from "./pending-call.ts";
import type { RemoteCall, RemoteNode, RemoteStream } from "./remote-call.ts";
import { failureOf } from "./remote-failure.ts";
import { notRun } from "./unavailable.ts";

/** How much a gateway sends to one node. */
export interface SentCallsLimits {
  /** The most calls and streams at one node, at most 65 536; beyond, they are `unavailable`. */
  readonly maxInFlight: number;
  /** Bytes on their way to one node, beyond which calls are `unavailable`. */
  readonly maxBufferedBytes: number;
}

/** The session that calls are sent through. */
export interface SentCallsOwner {
  /** Whether it takes further calls; if not, what keeps it from that. */
  readonly takesCalls: true | "down" | "leaving";
  /** One call fewer is waited for. */
  callEnded(): void;
  /** The node broke the protocol. */
  close(reason: string): void;
}

const answers: ReadonlySet<unknown> = new Set([fromNode.result, fromNode.failure, fromNode.chunk, fromNode.end]);

/** The calls and streams of a gateway at one node: sends them, and settles each once, by what the node answers. */
export class SentCalls implements RemoteNode, PendingOwner {
  readonly #outbox: Outbox;
  readonly #owner: SentCallsOwner;
  readonly #definitions: Definitions;
  readonly #calls = new NumberedCalls<Pending>();
  readonly #maxInFlight: number;
  readonly #maxBufferedBytes: number;

  constructor(outbox: Outbox, owner: SentCallsOwner, { maxInFlight, maxBufferedBytes }: SentCallsLimits) {
    this.#outbox = outbox;
    this.#owner = owner;
    this.#definitions = new Definitions(outbox);
    this.#maxInFlight = Math.min(maxInFlight, maxCallsInFlight);
    this.#maxBufferedBytes = maxBufferedBytes;
  }

  get size(): number {
    return this.#calls.size;
  }

  run(call: RemoteCall): RunningTask {
    const pending = new PendingCall(this, call);
    this.#start(pending, call.isCast ? toNode.cast : toNode.call);
    return pending;
  }

  stream(stream: RemoteStream): RunningStream {
    const pending = new PendingStream(this, stream);
    this.#start(pending, toNode.stream);
    return pending;
  }

  /** Called by the call. */
  cancel(pending: Pending, reason: CancelReason): void {
    if (this.#calls.delete(pending) === -1) return;
    this.#put([toNode.cancel, pending.id, reason]);
    this.#owner.callEnded();
  }

  /** Called by the stream. */
  grant(pending: Pending, chunks: number): void {
    if (this.#calls.get(pending.id) === pending) this.#put([toNode.grant, pending.id, chunks]);
  }

  /** Takes what the node says of a call. */
  answered(operation: unknown, id: unknown, value: unknown, begun: unknown): void {
    const pending = this.#calls.get(id as number);
    if (pending !== null) {
      this.#settle(pending, operation, value, begun);
    } else if (!answers.has(operation) || !this.#calls.hasGiven(id)) {
      // Not of a call that was cancelled before the node had heard of it.
      this.#owner.close("the node sends what is no answer to a call");
    }
  }

  /** The node is lost. @param undeliveredFrom the number of the first message that certainly did not arrive */
  lost(error: GenApiError, undeliveredFrom: number): void {
    failAll(this.#calls.clear(), 0, error, undeliveredFrom);
  }

  #start(pending: Pending, operation: number): void {
    const refused = this.#whyNot();
    if (refused !== null) {
      pending.failed(notRun(refused), false);
      return;
    }
    const { target } = pending;
    // Before anything of it is put: the pipe may end with that, and all that is kept here fails.
    this.#calls.add(pending);
    let entry: Uint8Array;
    try {
      const { maxResultBytes, args } = target;
      const number = this.#definitions.numberOf(target);
      const identity = packIdentity(target.identity, target.trace);
      entry = encodeForeign([operation, pending.id, number, maxResultBytes, identity, args], toNodeLimits);
    } catch (thrown) {
      if (this.#calls.delete(pending) !== -1) pending.failed(internalError(toError(thrown)), false);
      return;
    }
    pending.message = this.#outbox.put(entry);
  }

  #whyNot(): Parameters<typeof notRun>[0] | null {
    const { takesCalls } = this.#owner;
    if (takesCalls !== true) return takesCalls;
    if (this.#calls.size >= this.#maxInFlight) return "full";
    return this.#outbox.bufferedBytes > this.#maxBufferedBytes ? "congested" : null;
  }

  #settle(pending: Pending, operation: unknown, value: unknown, begun: unknown): void {
    // It is put into a client's frame as it is, and must not say anything there but a value.
    if (operation !== fromNode.failure && isText(value, pending) && !isJsonText(value)) {
      this.#calls.delete(pending);
      pending.failed(internalError(new Error("The node answered with a text that is no JSON")), true);
      this.#owner.close("the node answers a call with a text that is no JSON");
      return;
    }
    if (pending instanceof PendingStream) {
      if (operation === fromNode.chunk && isText(value, pending)) {
        if (!pending.chunk(value)) this.#owner.close("the node sends more of a stream than it has credit for");
        return;
      }
      if (operation === fromNode.end && (value === null || isText(value, pending))) {
        this.#calls.delete(pending);
        pending.ended(value);
        this.#owner.callEnded();
        return;
      }
    } else if (operation === fromNode.result && isText(value, pending)) {
      this.#calls.delete(pending);
      (pending as PendingCall).succeeded(value);
      this.#owner.callEnded();
      return;
    }
    if (operation !== fromNode.failure) {
      this.#owner.close("the node answers a call with what is no answer to it");
      return;
    }
    this.#calls.delete(pending);
    pending.failed(failureOf(value), begun !== false);
    this.#owner.callEnded();
  }

  #put(entry: readonly unknown[]): void {
    this.#outbox.put(encodeEntry(entry));
  }
}

function failAll(lost: readonly Pending[], from: number, error: GenApiError, undeliveredFrom: number): void {
  let at = from;
  try {
    for (; at < lost.length; at++) {
      const pending = lost[at] as Pending;
      pending.failed(error, pending.message < undeliveredFrom);
    }
  } finally {
    // Whatever one's listener throws, the others hear of it.
    if (at < lost.length) failAll(lost, at + 1, error, undeliveredFrom);
  }
}

/** Whether it is a text that may be a result of this call; a text never has fewer bytes than characters. */
function isText(value: unknown, { target }: Pending): value is string {
  return typeof value === "string" && value.length <= target.maxResultBytes;
}
