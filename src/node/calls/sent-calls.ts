import { type GenApiError, toError } from "../../core/errors.ts";
import { internalError } from "../../core/failures.ts";
import { FairPlaces } from "../../core/fair/fair-places.ts";
import type { ConnectionPart } from "../../core/fair/parts.ts";
import { hostShare } from "../../core/fair/share.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { CancelReason, RunningStream, RunningTask, WorkerTarget } from "../../execution/worker-call.ts";
import { randomNonce } from "../greeting/proof.ts";
import { encodeEntry, encodeForeign } from "../wire/frame-codec.ts";
import { packIdentity } from "../wire/identity-codec.ts";
import { isJsonText } from "../wire/json-scan.ts";
import { fromNode, maxCallsInFlight, toNode, toNodeLimits } from "../wire/node-protocol.ts";
import type { Outbox } from "../wire/outbox.ts";
import { ShareNumbers } from "../wire/share-codec.ts";
import { NumberedCalls } from "./call-slots.ts";
import { Definitions } from "./definitions.ts";
import { NestedRemotes } from "./nested-remotes.ts";
import { notRun } from "./not-run.ts";
import type { RemoteCall, RemoteNode, RemoteStream } from "./remote-call.ts";
import { remoteError } from "./remote-failure.ts";
import { type Sent, SentCall, type SentOwner, SentStream } from "./sent-call.ts";

/** Limits on what a gateway sends to one node. */
export interface SentCallsLimits {
  readonly clock: Clock;
  /** The most calls and streams at one node, at most 65 536; further ones are `unavailable`. */
  readonly maxInFlight: number;
  /** The most unsent bytes for one node; further calls are `unavailable`. */
  readonly maxBufferedBytes: number;
  /** How many unconsumed chunks of each stream the node may send. */
  readonly streamWindow: number;
}

/** The session through which calls are sent. */
export interface SentCallsOwner {
  /** Whether it accepts further calls; if not, why. */
  takesCalls(): true | "down" | "leaving";
  /** A call has ended. */
  onCallEnded(): void;
  /** A caller's callback threw. */
  onListenerThrew(call: RemoteCall | RemoteStream, error: Error): void;
  /** The node broke the protocol. */
  close(reason: string): void;
}

const answers: ReadonlySet<unknown> = new Set([fromNode.result, fromNode.failure, fromNode.chunk, fromNode.end]);

/** The calls and streams of a gateway at one node: sends them, and settles each once, by the node's answer. */
export class SentCalls implements RemoteNode {
  readonly #outbox: Outbox;
  readonly #owner: SentCallsOwner;
  readonly #ofSent: SentOwner = {
    cancel: (pending, reason) => this.#cancel(pending, reason),
    grant: (pending, chunks) => this.#tell(toNode.grant, pending, chunks),
    acknowledge: (pending, chunks) => this.#tell(toNode.acknowledge, pending, chunks),
    // Nobody else's call suffers from that.
    listenerThrew: (pending, thrown) => this.#owner.onListenerThrew(pending.target, toError(thrown)),
  };
  readonly #definitions: Definitions;
  readonly #calls = new NumberedCalls<Sent>();
  readonly #shares = new ShareNumbers(randomNonce());
  readonly #places: FairPlaces<never>;
  readonly #limits: SentCallsLimits;

  constructor(outbox: Outbox, owner: SentCallsOwner, limits: SentCallsLimits) {
    this.#outbox = outbox;
    this.#owner = owner;
    this.#definitions = new Definitions(outbox);
    this.#places = new FairPlaces(Math.min(limits.maxInFlight, maxCallsInFlight));
    this.#limits = limits;
  }

  get size(): number {
    return this.#calls.size;
  }

  run(call: RemoteCall): RunningTask {
    const pending = new SentCall(this.#ofSent, call, this.#partOf(call));
    this.#start(pending, call.isCast ? toNode.cast : toNode.call);
    return pending;
  }

  stream(stream: RemoteStream): RunningStream {
    const pending = new SentStream(this.#ofSent, stream, this.#partOf(stream), this.#limits.streamWindow);
    this.#start(pending, toNode.stream, stream.window);
    return pending;
  }

  #cancel(pending: Sent, reason: CancelReason): void {
    if (!this.#remove(pending)) return;
    this.#put([toNode.cancel, pending.id, reason]);
    this.#owner.onCallEnded();
  }

  /** Tells the node how many chunks of a stream were taken, or acknowledged. */
  #tell(operation: number, pending: Sent, chunks: number): void {
    if (this.#calls.get(pending.id) === pending) this.#put([operation, pending.id, chunks]);
  }

  /** Handles a message of the node about a call that a function there makes. */
  nested(operation: unknown, id: unknown, number: unknown, rest: readonly unknown[]): void {
    const pending = this.#calls.get(id as number);
    if (pending === null) {
      // The function's own call may have been given up before the node knew.
      if (!this.#calls.hasGiven(id)) this.#owner.close("the node called a function for no call");
      return;
    }
    pending.nested ??= new NestedRemotes(pending.target, (nested, response, isLast) => {
      // Nobody there waits any more once the function's own call has ended.
      if (this.#calls.get(pending.id) === pending) this.#respond(pending, nested, response, isLast);
    });
    if (!pending.nested.received(operation, number, rest)) this.#owner.close("the node sent an unreadable nested call");
  }

  #respond(pending: Sent, nested: number, response: string, isLast: boolean): void {
    let entry: Uint8Array;
    try {
      entry = encodeForeign([toNode.respond, pending.id, nested, response, isLast], toNodeLimits);
    } catch (thrown) {
      // Too big for a message, as a result to a client would not be.
      this.#owner.onListenerThrew(pending.target, toError(thrown));
      entry = encodeEntry([toNode.respond, pending.id, nested, null, true]);
    }
    this.#outbox.put(entry);
  }

  /** Handles a message of the node about a call. */
  answered(operation: unknown, id: unknown, value: unknown, begun: unknown): void {
    const pending = this.#calls.get(id as number);
    if (pending !== null) {
      this.#settle(pending, operation, value, begun);
    } else if (!answers.has(operation) || !this.#calls.hasGiven(id)) {
      // Except for a call that was cancelled before it was sent.
      this.#owner.close("the node sent an invalid answer");
    }
  }

  /**
   * The node is lost.
   * @param undeliveredFrom the number of the first message that certainly did not arrive
   */
  lost(error: GenApiError, undeliveredFrom: number): void {
    const lost = this.#calls.clear();
    for (const { part } of lost) this.#places.release(part);
    for (const pending of lost) pending.failed(error, pending.message < undeliveredFrom);
  }

  #partOf({ share = hostShare }: WorkerTarget): ConnectionPart<never> {
    return this.#places.partOf(share);
  }

  /**
   * Removes a call.
   * @returns false if it is no longer here
   */
  #remove(pending: Sent): boolean {
    if (this.#calls.delete(pending) === -1) return false;
    this.#places.release(pending.part);
    return true;
  }

  #start(pending: Sent, operation: number, window: number | null = null): void {
    const refused = this.#whyNot(pending);
    if (refused !== null) {
      pending.failed(notRun(refused), false);
      return;
    }
    const { target } = pending;
    // Before any of it is sent: the pipe may end with that, which fails every call kept here.
    this.#calls.add(pending);
    this.#places.take(pending.part);
    let entry: Uint8Array;
    try {
      const { maxResultBytes, args } = target;
      const number = this.#definitions.numberOf(target);
      const share = this.#shares.pack(target.share);
      const identity = packIdentity(target.identity, target.trace, this.#limits.clock.systemTime());
      const call: unknown[] = [operation, pending.id, number, maxResultBytes, identity, args, share];
      if (window !== null || target.isNested) call.push(window);
      if (target.isNested) call.push(true);
      entry = encodeForeign(call, toNodeLimits);
    } catch (thrown) {
      if (this.#remove(pending)) pending.failed(internalError(toError(thrown)), false);
      return;
    }
    pending.message = this.#outbox.put(entry);
  }

  #whyNot({ part, target }: Sent): Parameters<typeof notRun>[0] | null {
    const takesCalls = this.#owner.takesCalls();
    if (takesCalls !== true) return takesCalls;
    // The functions that wait for a nested call may hold all places of their client.
    if (target.isNested ? this.#calls.size >= maxCallsInFlight : !this.#places.mayTake(part)) return "full";
    return this.#outbox.bufferedBytes > this.#limits.maxBufferedBytes ? "congested" : null;
  }

  #settle(pending: Sent, operation: unknown, value: unknown, begun: unknown): void {
    // It becomes part of a client's frame unchanged, so it must be exactly one value.
    if (operation !== fromNode.failure && isText(value, pending) && !isJsonText(value)) {
      this.#remove(pending);
      pending.failed(internalError(new Error("The node answered with a text that is not JSON")), true);
      this.#owner.close("the node answered a call with a text that is not JSON");
      return;
    }
    if (pending instanceof SentStream) {
      if (operation === fromNode.chunk && isText(value, pending)) {
        if (!pending.chunk(value)) this.#owner.close("the node exceeded the credit of a stream");
        return;
      }
      if (operation === fromNode.end && (value === null || isText(value, pending))) {
        this.#remove(pending);
        pending.ended(value);
        this.#owner.onCallEnded();
        return;
      }
    } else if (operation === fromNode.result && isText(value, pending)) {
      this.#remove(pending);
      (pending as SentCall).succeeded(value);
      this.#owner.onCallEnded();
      return;
    }
    if (operation !== fromNode.failure) {
      this.#owner.close("the node answered a call with an invalid value");
      return;
    }
    this.#remove(pending);
    pending.failed(remoteError(value), begun !== false);
    this.#owner.onCallEnded();
  }

  #put(entry: readonly unknown[]): void {
    this.#outbox.put(encodeEntry(entry));
  }
}

/** Whether it is a text that may be a result of this call; a text never has fewer bytes than characters. */
function isText(value: unknown, { target }: Sent): value is string {
  return typeof value === "string" && value.length <= target.maxResultBytes;
}
