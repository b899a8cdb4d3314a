import type { Status } from "../actor/format-status.ts";
import type { Clock } from "../core/clock.ts";
import { type GenApiError, isGenApiError, toError } from "../core/errors.ts";
import { internalError } from "../worker/thrown-data.ts";
import type { CancelReason, RunningStream, RunningTask } from "../worker/worker-call.ts";
import { AskAnswers } from "./ask-answers.ts";
import { NumberedCalls } from "./call-slots.ts";
import { Definitions } from "./definitions.ts";
import { encodeEntry, encodeForeign, maxMessageBytes } from "./frame-codec.ts";
import { GatewayHandshake, type HeartbeatRule, refusal } from "./handshake.ts";
import { packIdentity } from "./identity-codec.ts";
import { isJsonText } from "./json-scan.ts";
import {
  fromNode,
  fromNodeLimits,
  leaveAsk,
  maxAsks,
  maxCallsInFlight,
  toNode,
  toNodeLimits,
} from "./node-protocol.ts";
import { type Pending, PendingCall, type PendingOwner, PendingStream } from "./pending-call.ts";
import type { Pipe, PipeReceiver } from "./pipe.ts";
import { PipeEnd, type PipeEndOwner } from "./pipe-end.ts";
import type { NodeIdentity } from "./proof.ts";
import type { ServiceToken } from "./push-token.ts";
import type { RemoteCall, RemoteNode, RemoteStream } from "./remote-call.ts";
import { failureOf } from "./remote-failure.ts";
import { nodeUnavailable, notRun } from "./unavailable.ts";

const answers: ReadonlySet<unknown> = new Set([fromNode.result, fromNode.failure, fromNode.chunk, fromNode.end]);

/** What a gateway is to its sessions with nodes. */
export interface NodeSessionHost extends HeartbeatRule {
  /** The gateway's name. */
  readonly gateway: string;
  readonly clock: Clock;
  /** See `serviceTokens`. */
  readonly tokens: readonly ServiceToken[];
  /** The most calls and streams at one node, at most 65 536; beyond, they are `unavailable`. */
  readonly maxInFlight: number;
  /** Bytes on their way to one node, beyond which calls are `unavailable`. */
  readonly maxBufferedBytes: number;
  /** Makes a number used once, see `randomNonce`. */
  nonce(): string;
  /** Whether a node that has proven itself may come in: null, or what it is refused with. */
  admit(identity: NodeIdentity): GenApiError | null;
  /** The node is in: it can be called. */
  up(session: NodeSession): void;
  /** The node wants no more calls. */
  leaving(session: NodeSession): void;
  /** A session that was up has ended; its calls are told right after. */
  down(session: NodeSession, reason: string): void;
  /** A node was not let in, or its pipe ended before. @param node who it said it is, if it did */
  refused(peer: string, node: string | null, reason: string): void;
  /** Answers what a node asks, see `config/push.ts`; a rejection with a GenApiError is told to the node. */
  asked(session: NodeSession, name: string, body: unknown): Promise<unknown>;
}

/** The options of a host that have a default. */
export const nodeSessionDefaults = {
  heartbeatMs: 1_000,
  missed: 3,
  maxInFlight: 10_000,
  maxBufferedBytes: 64 * 1024 * 1024,
} satisfies Partial<NodeSessionHost>;

/**
 * A gateway's session with one service node, over one pipe: lets it in, sends it calls and streams, answers what it
 * asks. When it ends, its calls fail `unavailable`.
 */
export class NodeSession implements RemoteNode, PipeEndOwner, PendingOwner {
  readonly #host: NodeSessionHost;
  readonly #end: PipeEnd;
  readonly #handshake: GatewayHandshake;
  readonly #calls = new NumberedCalls<Pending>();
  readonly #definitions: Definitions;
  readonly #answers: AskAnswers;
  readonly #maxInFlight: number;
  /** Resolves when the pipe has ended. */
  readonly ended: Promise<void>;
  #onEnded!: () => void;
  #identity: NodeIdentity | null = null;
  #refusal: string | null = null;
  #isLeaving = false;
  #since = 0;

  constructor(pipe: Pipe, host: NodeSessionHost) {
    this.#host = host;
    this.#maxInFlight = Math.min(host.maxInFlight, maxCallsInFlight);
    // Calls add to what waits until it is more than they may, by less than the one message that was too much.
    const maxUnreadBytes = host.maxBufferedBytes + maxMessageBytes * 2;
    this.#end = new PipeEnd(pipe, host.clock, this, { reads: fromNodeLimits, writes: toNodeLimits, maxUnreadBytes });
    this.#definitions = new Definitions(this.#end.outbox);
    this.#answers = new AskAnswers(this.#end.outbox, (name, body) => host.asked(this, name, body));
    const { gateway, tokens, heartbeatMs, missed } = host;
    const { isLoopback, peerName } = pipe;
    const rule = { heartbeatMs, missed };
    this.#handshake = new GatewayHandshake({ gateway, tokens, ...rule, isLoopback, peerName, nonce: host.nonce() });
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
  }

  /** Who takes what comes through the pipe. */
  get receiver(): PipeReceiver {
    return this.#end;
  }

  get peer(): string {
    return this.#end.peer;
  }

  /** Who the node is; null until it has proven it. */
  get identity(): NodeIdentity | null {
    return this.#identity;
  }

  /** `greeting` until the node is in, `down` from when its pipe closes. */
  get state(): "greeting" | "up" | "leaving" | "down" {
    if (this.#end.isOver) return "down";
    if (!this.#end.isUp) return "greeting";
    return this.#isLeaving ? "leaving" : "up";
  }

  /** When the node came in, milliseconds since 1970. */
  get since(): number {
    return this.#since;
  }

  /** Calls and streams that the node has. */
  get inFlight(): number {
    return this.#calls.size;
  }

  formatStatus(): Status {
    const { identity, state, inFlight, peer } = this;
    return { node: identity?.node ?? null, services: identity?.services ?? [], state, inFlight, peer };
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

  /** Ends the session and its pipe. */
  close(reason: string): void {
    this.#end.close(reason);
  }

  /** @internal called by the call */
  cancel(pending: Pending, reason: CancelReason): void {
    if (this.#calls.delete(pending) === -1) return;
    this.#put([toNode.cancel, pending.id, reason]);
    this.#closeIfLeft();
  }

  /** @internal called by the stream */
  grant(pending: Pending, chunks: number): void {
    if (this.#calls.get(pending.id) === pending) this.#put([toNode.grant, pending.id, chunks]);
  }

  /** @internal called by the pipe's end */
  handshake(message: Uint8Array): void {
    // It was told so, and closes.
    if (this.#refusal !== null) return;
    try {
      const step = this.#handshake.received(message);
      if (step.kind === "send") this.#end.outbox.send(step.message);
      else this.#letIn(step.identity, step.welcome);
    } catch (thrown) {
      if (!isGenApiError(thrown)) throw thrown;
      this.#refuse(thrown);
    }
  }

  /** @internal called by the pipe's end */
  entry([operation, id, third, fourth]: readonly unknown[]): void {
    if (operation === fromNode.ask) {
      this.#asked(id, third, fourth);
      return;
    }
    const pending = this.#calls.get(id as number);
    if (pending !== null) {
      this.#answered(pending, operation, third, fourth);
    } else if (!answers.has(operation) || !this.#calls.hasGiven(id)) {
      // Not of a call that was cancelled before the node had heard of it.
      this.close("the node sends what is no answer to a call");
    }
  }

  /** @internal called by the pipe's end */
  pipeEnded(reason: string, undeliveredFrom: number): void {
    this.#onEnded();
    if (this.#identity === null) {
      this.#host.refused(this.peer, this.#handshake.claimed, this.#refusal ?? reason);
      return;
    }
    const error = nodeUnavailable(new Error(`The node ${this.#identity.node} was lost: ${reason}`));
    try {
      // First, so that what is tried again at once goes to other nodes.
      this.#host.down(this, reason);
    } finally {
      this.#failAll(this.#calls.clear(), 0, error, undeliveredFrom);
    }
  }

  #failAll(lost: readonly Pending[], from: number, error: GenApiError, undeliveredFrom: number): void {
    let at = from;
    try {
      for (; at < lost.length; at++) {
        const pending = lost[at] as Pending;
        pending.failed(error, pending.message < undeliveredFrom);
      }
    } finally {
      // Whatever one's listener throws, the others hear of it.
      if (at < lost.length) this.#failAll(lost, at + 1, error, undeliveredFrom);
    }
  }

  #letIn(identity: NodeIdentity, welcome: Uint8Array): void {
    const refused = this.#host.admit(identity);
    if (refused !== null) throw refused;
    this.#end.outbox.send(welcome);
    if (!this.#end.greeted(this.#host)) return;
    this.#identity = identity;
    this.#since = this.#host.clock.systemTime();
    this.#host.up(this);
  }

  /** The node closes when it has read why. */
  #refuse(error: GenApiError): void {
    this.#refusal = error.message;
    this.#end.outbox.send(refusal(error));
    this.#end.refused(error.message);
  }

  #start(pending: Pending, operation: number): void {
    const refused = this.#whyNot();
    if (refused !== null) {
      pending.failed(notRun(refused), false);
      return;
    }
    const { target } = pending;
    const number = this.#definitions.numberOf(target);
    this.#calls.add(pending);
    let entry: Uint8Array;
    try {
      const { maxResultBytes, args } = target;
      const identity = packIdentity(target.identity, target.trace);
      entry = encodeForeign([operation, pending.id, number, maxResultBytes, identity, args], toNodeLimits);
    } catch (thrown) {
      this.#calls.delete(pending);
      pending.failed(internalError(toError(thrown)), false);
      return;
    }
    pending.message = this.#end.outbox.put(entry);
  }

  #whyNot(): Parameters<typeof notRun>[0] | null {
    if (!this.#end.isUp) return "down";
    if (this.#isLeaving) return "leaving";
    if (this.#calls.size >= this.#maxInFlight) return "full";
    return this.#end.outbox.bufferedBytes > this.#host.maxBufferedBytes ? "congested" : null;
  }

  #answered(pending: Pending, operation: unknown, value: unknown, begun: unknown): void {
    // It is put into a client's frame as it is, and must not say anything there but a value.
    if (operation !== fromNode.failure && isText(value, pending) && !isJsonText(value)) {
      this.#calls.delete(pending);
      pending.failed(internalError(new Error("The node answered with a text that is no JSON")), true);
      this.close("the node answers a call with a text that is no JSON");
      return;
    }
    if (pending instanceof PendingStream) {
      if (operation === fromNode.chunk && isText(value, pending)) {
        if (!pending.chunk(value)) this.close("the node sends more of a stream than it has credit for");
        return;
      }
      if (operation === fromNode.end && (value === null || isText(value, pending))) {
        this.#calls.delete(pending);
        pending.ended(value);
        this.#closeIfLeft();
        return;
      }
    } else if (operation === fromNode.result && isText(value, pending)) {
      this.#calls.delete(pending);
      (pending as PendingCall).succeeded(value);
      this.#closeIfLeft();
      return;
    }
    if (operation !== fromNode.failure) {
      this.close("the node answers a call with what is no answer to it");
      return;
    }
    this.#calls.delete(pending);
    pending.failed(failureOf(value), begun !== false);
    this.#closeIfLeft();
  }

  #asked(ask: unknown, name: unknown, body: unknown): void {
    if (typeof ask !== "number" || typeof name !== "string") {
      this.close("the node asks for what cannot be read");
      return;
    }
    if (name === leaveAsk) this.#leave(ask);
    else if (!this.#answers.asked(ask, name, body)) this.close(`the node asks more than ${maxAsks} things at a time`);
  }

  #leave(ask: number): void {
    if (!this.#isLeaving) {
      this.#isLeaving = true;
      this.#host.leaving(this);
    }
    this.#answers.reply(ask, true, null);
    this.#closeIfLeft();
  }

  /** All that a node which leaves had to do has arrived here. */
  #closeIfLeft(): void {
    if (!this.#isLeaving || this.#calls.size > 0) return;
    this.#end.outbox.flush();
    this.close("left");
  }

  #put(entry: readonly unknown[]): void {
    this.#end.outbox.put(encodeEntry(entry));
  }
}

/** Whether it is a text that may be a result of this call; a text never has fewer bytes than characters. */
function isText(value: unknown, { target }: Pending): value is string {
  return typeof value === "string" && value.length <= target.maxResultBytes;
}
