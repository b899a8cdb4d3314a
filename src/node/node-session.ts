import type { Status } from "../actor/format-status.ts";
import type { Clock } from "../core/clock.ts";
import { type GenApiError, isGenApiError } from "../core/errors.ts";
import type { RunningStream, RunningTask } from "../worker/worker-call.ts";
import { AskAnswers } from "./ask-answers.ts";
import { maxMessageBytes } from "./frame-codec.ts";
import { GatewayHandshake, type HeartbeatRule, refusal } from "./handshake.ts";
import { fromNode, fromNodeLimits, leaveAsk, maxAsks, toNodeLimits } from "./node-protocol.ts";
import type { Pipe, PipeReceiver } from "./pipe.ts";
import { PipeEnd, type PipeEndOwner } from "./pipe-end.ts";
import type { NodeIdentity } from "./proof.ts";
import type { ServiceToken } from "./push-token.ts";
import type { RemoteCall, RemoteNode, RemoteStream } from "./remote-call.ts";
import { SentCalls, type SentCallsLimits, type SentCallsOwner } from "./sent-calls.ts";
import { nodeUnavailable } from "./unavailable.ts";

/** What a gateway is to its sessions with nodes. */
export interface NodeSessionHost extends HeartbeatRule, SentCallsLimits {
  /** The gateway's name. */
  readonly gateway: string;
  readonly clock: Clock;
  /** See `serviceTokens`. */
  readonly tokens: readonly ServiceToken[];
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
export class NodeSession implements RemoteNode, PipeEndOwner, SentCallsOwner {
  readonly #host: NodeSessionHost;
  readonly #end: PipeEnd;
  readonly #handshake: GatewayHandshake;
  readonly #calls: SentCalls;
  readonly #answers: AskAnswers;
  #identity: NodeIdentity | null = null;
  #refusal: string | null = null;
  #isLeaving = false;
  #since = 0;

  constructor(pipe: Pipe, host: NodeSessionHost) {
    this.#host = host;
    // Calls add to what waits until it is more than they may, by less than the one message that was too much.
    const maxUnreadBytes = host.maxBufferedBytes + maxMessageBytes * 2;
    this.#end = new PipeEnd(pipe, host.clock, this, { reads: fromNodeLimits, writes: toNodeLimits, maxUnreadBytes });
    this.#calls = new SentCalls(this.#end.outbox, this, host);
    this.#answers = new AskAnswers(this.#end.outbox, (name, body) => host.asked(this, name, body));
    const { gateway, tokens, heartbeatMs, missed } = host;
    const { isLoopback, peerName } = pipe;
    const rule = { heartbeatMs, missed };
    this.#handshake = new GatewayHandshake({ gateway, tokens, ...rule, isLoopback, peerName, nonce: host.nonce() });
  }

  /** Who takes what comes through the pipe. */
  get receiver(): PipeReceiver {
    return this.#end;
  }

  /** Resolves when the pipe has ended. */
  get ended(): Promise<void> {
    return this.#end.ended;
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
    return this.#calls.run(call);
  }

  stream(stream: RemoteStream): RunningStream {
    return this.#calls.stream(stream);
  }

  /** Ends the session and its pipe. */
  close(reason: string): void {
    this.#end.close(reason);
  }

  /** Called by its calls. */
  get takesCalls(): true | "down" | "leaving" {
    if (!this.#end.isUp) return "down";
    return this.#isLeaving ? "leaving" : true;
  }

  /** Called by its calls; all that a node which leaves had to do has arrived here. */
  callEnded(): void {
    if (!this.#isLeaving || this.#calls.size > 0) return;
    this.#end.outbox.flush();
    this.close("left");
  }

  /** Called by the pipe's end. */
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

  /** Called by the pipe's end. */
  entry([operation, id, third, fourth]: readonly unknown[]): void {
    if (operation === fromNode.ask) this.#asked(id, third, fourth);
    else this.#calls.answered(operation, id, third, fourth);
  }

  /** Called by the pipe's end. */
  pipeEnded(reason: string, undeliveredFrom: number): void {
    if (this.#identity === null) {
      this.#host.refused(this.peer, this.#handshake.claimed, this.#refusal ?? reason);
      return;
    }
    const error = nodeUnavailable(new Error(`The node ${this.#identity.node} was lost: ${reason}`));
    try {
      // First, so that what is tried again at once goes to other nodes.
      this.#host.down(this, reason);
    } finally {
      this.#calls.lost(error, undeliveredFrom);
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
    this.callEnded();
  }
}
