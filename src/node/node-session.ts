import type { Status } from "../actor/inspection/format-status.ts";
import { type GenApiError, isGenApiError, libraryError, toError } from "../core/errors.ts";
import { internalError } from "../core/failures.ts";
import { Asks } from "./asks/asks.ts";
import { ServedCalls, type ServedCallsOptions, type ServedCallsOwner } from "./calls/served-calls.ts";
import { farewells } from "./farewell.ts";
import type { NodeIdentity } from "./greeting/proof.ts";
import { NodeHandshake } from "./greeting/session-handshake.ts";
import { PipeEnd, type PipeEndListener } from "./pipe-end.ts";
import { fromNodeLimits, leaveAsk, toNode, toNodeLimits } from "./wire/node-protocol.ts";
import type { Pipe, PipeReceiver } from "./wire/pipe.ts";

/** A service node as its sessions with gateways use it. */
export interface NodeSessionHost extends NodeIdentity, ServedCallsOptions {
  /** Null: only gateways on this machine that have no token either. */
  readonly token: string | null;
  /** How long a gateway may take to answer an ask, milliseconds. */
  readonly askTimeoutMs: number;
  /** Creates a number used once, see `randomNonce`. */
  nonce(): string;
  /** The gateway has let the node in and has proven its identity. */
  up(session: NodeSession): void;
  /** A session that was up has ended; its calls were cancelled. */
  down(session: NodeSession, reason: string): void;
  /** The gateway refused the node or did not prove its identity, or the pipe ended before. */
  refused(session: NodeSession, error: GenApiError): void;
}

/** The options of a host that have a default. */
export const nodeSessionDefaults = {
  maxInFlight: 20_000,
  maxBufferedBytes: 64 * 1024 * 1024,
  askTimeoutMs: 30_000,
} satisfies Partial<NodeSessionHost>;

// Unsent data is already bounded: by the gateway's number of calls and their streams' credit.
const limits = { reads: toNodeLimits, writes: fromNodeLimits, maxUnreadBytes: Number.POSITIVE_INFINITY };

/**
 * A service node's session with one gateway, over one pipe: runs the calls and streams that the gateway sends, and asks
 * it questions. When it ends, the gateway's calls are cancelled, except casts.
 */
export class NodeSession implements ServedCallsOwner {
  readonly #host: NodeSessionHost;
  readonly #end: PipeEnd;
  readonly #handshake: NodeHandshake;
  readonly #calls: ServedCalls;
  readonly #asks: Asks;
  #gateway: string | null = null;
  #refusal: GenApiError | null = null;
  #hasLeft = false;

  constructor(pipe: Pipe, host: NodeSessionHost) {
    this.#host = host;
    const ofPipe: PipeEndListener = {
      onHandshake: (message) => this.#onHandshake(message),
      onEntry: (entry) => this.#onEntry(entry),
      onPipeEnded: (reason) => this.#onPipeEnded(reason),
    };
    this.#end = new PipeEnd(pipe, host.clock, ofPipe, limits);
    this.#calls = new ServedCalls(this.#end.outbox, this, host);
    this.#asks = new Asks(this.#end.outbox, host.clock, host.askTimeoutMs);
    const { node, services, instance, token } = host;
    const { isLoopback } = pipe;
    this.#handshake = new NodeHandshake({ node, services, instance, token, isLoopback, nonce: host.nonce() });
    // The creator of the pipe accepts messages, or a close, only once it knows the receiver.
    queueMicrotask(() => this.#greet());
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

  /** The gateway's name; null until it has proven its identity. */
  get gateway(): string | null {
    return this.#gateway;
  }

  get isUp(): boolean {
    return this.#end.isUp;
  }

  /** Whether the gateway knows that this node takes no more calls. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** The gateway's running calls and streams. */
  get inFlight(): number {
    return this.#calls.size;
  }

  formatStatus(): Status {
    const { gateway, isUp, inFlight, peer } = this;
    return { gateway, isUp, inFlight, peer };
  }

  /**
   * Sends the gateway an ask, see `sync/push/push.ts`.
   *
   * @throws GenApiError (as a rejection) `unavailable` if the session is not up, or ends before the answer; `timeout`;
   * `invalid_request` if the body cannot be sent; or the error with which the gateway refused
   */
  async ask(name: string, body: unknown): Promise<unknown> {
    if (!this.#end.isUp) throw libraryError("unavailable", `There is no link to the gateway at ${this.peer}`);
    return this.#asks.ask(name, body);
  }

  /**
   * Notifies the gateway that the node leaves, so that no further call comes. Resolves when the running calls have been
   * answered and the gateway has closed the session; call {@link close} to end it sooner.
   */
  async leave(): Promise<void> {
    if (this.#end.isUp) {
      try {
        await this.ask(leaveAsk, null);
      } catch (thrown) {
        // The session was lost meanwhile, or the gateway does not answer.
        this.close(toError(thrown).message);
      }
      this.refuse();
    } else {
      this.close(farewells.stops);
    }
    await this.ended;
  }

  /** Refuses every further call as not begun. */
  refuse(): void {
    this.#hasLeft = true;
  }

  /** Ends the session and its pipe. */
  close(reason: string): void {
    this.#end.close(reason);
  }

  #onHandshake(message: Uint8Array): void {
    try {
      const step = this.#handshake.received(message);
      if (step.kind === "send") {
        this.#end.outbox.send(step.message);
        return;
      }
      if (!this.#end.greeted(step)) return;
      this.#gateway = step.gateway;
      this.#calls.streamWindow = step.streamWindow;
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    this.#host.up(this);
  }

  #onEntry(entry: readonly unknown[]): void {
    if (this.#calls.entry(entry)) return;
    const [operation, ask, isGranted, value] = entry;
    if (operation === toNode.reply) this.#asks.answered(ask as number, isGranted === true, value);
    else this.close("the gateway sent an invalid entry");
  }

  #onPipeEnded(reason: string): void {
    this.#asks.fail(reason);
    this.#calls.lost();
    if (this.#gateway !== null) this.#host.down(this, reason);
    else this.#host.refused(this, this.#refusal ?? libraryError("unavailable", `The gateway did not greet: ${reason}`));
  }

  #greet(): void {
    try {
      this.#end.outbox.send(this.#handshake.hello());
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** The session fails: the gateway refused, or sent something invalid. */
  #fail(thrown: unknown): void {
    this.#refusal = isGenApiError(thrown) ? thrown : internalError(toError(thrown));
    this.close(this.#refusal.message);
  }
}
