import type { Status } from "../actor/inspection/format-status.ts";
import { type GenApiError, isGenApiError } from "../core/errors.ts";
import { unavailableError } from "../core/failures.ts";
import type { Clock } from "../core/time/clock.ts";
import { streamWindow } from "../execution/stream-credit.ts";
import type { RunningStream, RunningTask } from "../execution/worker-call.ts";
import { AskAnswers } from "./asks/ask-answers.ts";
import type { RemoteCall, RemoteNode, RemoteStream } from "./calls/remote-call.ts";
import { SentCalls, type SentCallsLimits, type SentCallsOwner } from "./calls/sent-calls.ts";
import { farewells } from "./farewell.ts";
import type { NodeIdentity } from "./greeting/proof.ts";
import type { ServiceToken } from "./greeting/push-token.ts";
import { GatewayHandshake, type HeartbeatRule, refusal } from "./greeting/session-handshake.ts";
import { PipeEnd, type PipeEndListener } from "./pipe-end.ts";
import { maxMessageBytes } from "./wire/frame-codec.ts";
import { fromNode, fromNodeLimits, leaveAsk, maxAsks, toNodeLimits } from "./wire/node-protocol.ts";
import type { Pipe, PipeReceiver } from "./wire/pipe.ts";

/** A gateway as its sessions with nodes use it. */
export interface GatewaySessionHost extends HeartbeatRule, SentCallsLimits {
  /** The gateway's name. */
  readonly gateway: string;
  readonly clock: Clock;
  /** See `serviceTokens`. */
  readonly tokens: readonly ServiceToken[];
  /** Creates a number used once, see `randomNonce`. */
  nonce(): string;
  /** Whether a node that has proven its identity may come in: null, or the error that refuses it. */
  admit(identity: NodeIdentity): GenApiError | null;
  /** The node is in and can be called. */
  up(session: GatewaySession): void;
  /** The node wants no more calls. */
  leaving(session: GatewaySession): void;
  /** A session that was up has ended; its calls are settled right after. */
  down(session: GatewaySession, reason: string): void;
  /**
   * A node was refused, or its pipe ended first.
   * @param node the name it claimed, if it did
   */
  refused(peer: string, node: string | null, reason: string): void;
  /** A caller's callback threw when it received the result of a call. */
  listenerThrew(session: GatewaySession, call: Pick<RemoteCall, "service" | "requestType">, error: Error): void;
  /** Answers a node's ask, see `sync/push/push.ts`; the node receives a rejection with a GenApiError. */
  asked(session: GatewaySession, name: string, body: unknown): Promise<unknown>;
}

/** The options of a host that have a default. */
export const gatewaySessionDefaults = {
  heartbeatMs: 1_000,
  missed: 3,
  maxInFlight: 10_000,
  maxBufferedBytes: 64 * 1024 * 1024,
  streamWindow,
} satisfies Partial<GatewaySessionHost>;

/**
 * A gateway's session with one service node, over one pipe: lets it in, sends it calls and streams, answers its asks.
 * When it ends, its calls fail with `unavailable`.
 */
export class GatewaySession implements RemoteNode {
  readonly #host: GatewaySessionHost;
  readonly #end: PipeEnd;
  readonly #handshake: GatewayHandshake;
  readonly #calls: SentCalls;
  readonly #answers: AskAnswers;
  #identity: NodeIdentity | null = null;
  #refusal: string | null = null;
  #isLeaving = false;
  #since = 0;

  constructor(pipe: Pipe, host: GatewaySessionHost) {
    this.#host = host;
    // Calls may exceed the bound of unsent bytes by at most the one message that was too much.
    const maxUnreadBytes = host.maxBufferedBytes + maxMessageBytes * 2;
    const limits = { reads: fromNodeLimits, writes: toNodeLimits, maxUnreadBytes };
    const ofPipe: PipeEndListener = {
      onHandshake: (message) => this.#onHandshake(message),
      onEntry: (entry) => this.#onEntry(entry),
      onPipeEnded: (reason, undeliveredFrom) => this.#onPipeEnded(reason, undeliveredFrom),
    };
    this.#end = new PipeEnd(pipe, host.clock, ofPipe, limits);
    const ofCalls: SentCallsOwner = {
      takesCalls: () => this.#takesCalls(),
      onCallEnded: () => this.#onCallEnded(),
      onListenerThrew: (call, error) => host.listenerThrew(this, call, error),
      close: (reason) => this.close(reason),
    };
    this.#calls = new SentCalls(this.#end.outbox, ofCalls, host);
    this.#answers = new AskAnswers(this.#end.outbox, (name, body) => host.asked(this, name, body));
    const { gateway, tokens, heartbeatMs, missed, streamWindow } = host;
    const { isLoopback, peerName } = pipe;
    const told = { heartbeatMs, missed, streamWindow };
    this.#handshake = new GatewayHandshake({ gateway, tokens, ...told, isLoopback, peerName, nonce: host.nonce() });
  }

  /** The receiver of the pipe's messages. */
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

  /** The node's identity; null until it has proven it. */
  get identity(): NodeIdentity | null {
    return this.#identity;
  }

  /** `greeting` until the node is in, `down` once its pipe closes. */
  get state(): "greeting" | "up" | "leaving" | "down" {
    if (this.#end.isOver) return "down";
    if (!this.#end.isUp) return "greeting";
    return this.#isLeaving ? "leaving" : "up";
  }

  /** Whether the node has said that it leaves. */
  get hasLeft(): boolean {
    return this.#isLeaving;
  }

  /** When the node came in, milliseconds since 1970. */
  get since(): number {
    return this.#since;
  }

  /** The node's calls and streams in progress. */
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

  #takesCalls(): true | "down" | "leaving" {
    if (!this.#end.isUp) return "down";
    return this.#isLeaving ? "leaving" : true;
  }

  /** A node that leaves has answered all when its last call has ended. */
  #onCallEnded(): void {
    if (!this.#isLeaving || this.#calls.size > 0) return;
    this.#end.outbox.flush();
    this.close(farewells.left);
  }

  #onHandshake(message: Uint8Array): void {
    // It knows that it was refused, and is closing.
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

  #onEntry([operation, id, third, ...rest]: readonly unknown[]): void {
    switch (operation) {
      case fromNode.ask:
        this.#asked(id, third, rest[0]);
        break;
      case fromNode.nested:
      case fromNode.nestedCancel:
      case fromNode.nestedGrant:
        this.#calls.nested(operation, id, third, rest);
        break;
      default:
        this.#calls.answered(operation, id, third, rest[0]);
    }
  }

  #onPipeEnded(reason: string, undeliveredFrom: number): void {
    if (this.#identity === null) {
      this.#host.refused(this.peer, this.#handshake.claimed, this.#refusal ?? reason);
      return;
    }
    const error = unavailableError(new Error(`The node ${this.#identity.node} was lost: ${reason}`));
    try {
      // First, so that calls that are retried at once go to other nodes.
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

  /** The node closes when it has read the reason. */
  #refuse(error: GenApiError): void {
    this.#refusal = error.message;
    this.#end.outbox.send(refusal(error));
    this.#end.refused(error.message);
  }

  #asked(ask: unknown, name: unknown, body: unknown): void {
    if (typeof ask !== "number" || typeof name !== "string") {
      this.close("the node sent an unreadable ask");
      return;
    }
    if (name === leaveAsk) this.#leave(ask);
    else if (!this.#answers.asked(ask, name, body)) this.close(`the node has more than ${maxAsks} open asks`);
  }

  #leave(ask: number): void {
    if (!this.#isLeaving) {
      this.#isLeaving = true;
      this.#host.leaving(this);
    }
    this.#answers.reply(ask, true, null);
    this.#onCallEnded();
  }
}
