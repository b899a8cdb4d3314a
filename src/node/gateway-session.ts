import type { Status } from "../actor/format-status.ts";
import { type GenApiError, isGenApiError, libraryError, toError } from "../core/errors.ts";
import { internalError } from "../worker/thrown-data.ts";
import { Asks } from "./asks.ts";
import { NodeHandshake } from "./handshake.ts";
import { fromNodeLimits, leaveAsk, toNode, toNodeLimits } from "./node-protocol.ts";
import type { Pipe, PipeReceiver } from "./pipe.ts";
import { PipeEnd, type PipeEndOwner } from "./pipe-end.ts";
import type { NodeIdentity } from "./proof.ts";
import { ServedCalls, type ServedCallsOptions, type ServedCallsOwner } from "./served-calls.ts";

/** What a service node is to its sessions with gateways. */
export interface GatewaySessionHost extends NodeIdentity, ServedCallsOptions {
  /** Null: only gateways on this machine that have none either. */
  readonly token: string | null;
  /** How long the gateway may take to answer what it is asked, milliseconds. */
  readonly askTimeoutMs: number;
  /** Makes a number used once, see `randomNonce`. */
  nonce(): string;
  /** The gateway has let the node in and has proven itself. */
  up(session: GatewaySession): void;
  /** A session that was up has ended; its calls were cancelled. */
  down(session: GatewaySession, reason: string): void;
  /** The gateway did not let the node in or did not prove itself, or the pipe ended before. */
  refused(session: GatewaySession, error: GenApiError): void;
}

/** The options of a host that have a default. */
export const gatewaySessionDefaults = {
  maxInFlight: 20_000,
  maxBufferedBytes: 64 * 1024 * 1024,
  askTimeoutMs: 30_000,
} satisfies Partial<GatewaySessionHost>;

// What waits for a gateway is bounded by the calls that it may have and by their streams' credit.
const limits = { reads: toNodeLimits, writes: fromNodeLimits, maxUnreadBytes: Number.POSITIVE_INFINITY };

/**
 * A service node's session with one gateway, over one pipe: runs the calls and streams that the gateway sends, and asks
 * it things. When it ends, what runs for the gateway is cancelled, casts apart.
 */
export class GatewaySession implements PipeEndOwner, ServedCallsOwner {
  readonly #host: GatewaySessionHost;
  readonly #end: PipeEnd;
  readonly #handshake: NodeHandshake;
  readonly #calls: ServedCalls;
  readonly #asks: Asks;
  #gateway: string | null = null;
  #refusal: GenApiError | null = null;
  #hasLeft = false;

  constructor(pipe: Pipe, host: GatewaySessionHost) {
    this.#host = host;
    this.#end = new PipeEnd(pipe, host.clock, this, limits);
    this.#calls = new ServedCalls(this.#end.outbox, this, host);
    this.#asks = new Asks(this.#end.outbox, host.clock, host.askTimeoutMs);
    const { node, services, instance, token } = host;
    const { isLoopback } = pipe;
    this.#handshake = new NodeHandshake({ node, services, instance, token, isLoopback, nonce: host.nonce() });
    // Whoever made the pipe takes what is said, or a close, only when it was told who receives.
    queueMicrotask(() => this.#greet());
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

  /** The gateway's name; null until it has proven itself. */
  get gateway(): string | null {
    return this.#gateway;
  }

  get isUp(): boolean {
    return this.#end.isUp;
  }

  /** Called by its calls: the gateway knows that this node takes no more. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Calls and streams that run for the gateway. */
  get inFlight(): number {
    return this.#calls.size;
  }

  formatStatus(): Status {
    const { gateway, isUp, inFlight, peer } = this;
    return { gateway, isUp, inFlight, peer };
  }

  /**
   * Asks the gateway something, see `config/push.ts`.
   *
   * @throws GenApiError (as a rejection) `unavailable` when the session is not up, or ends before the answer;
   *   `timeout`; `invalid_request` when the body cannot be sent; and what the gateway refused with
   */
  async ask(name: string, body: unknown): Promise<unknown> {
    if (!this.#end.isUp) throw libraryError("unavailable", `There is no link to the gateway at ${this.peer}`);
    return this.#asks.ask(name, body);
  }

  /**
   * Lets the gateway know that the node goes: no further call comes. Resolves when those that run have been answered
   * and the gateway has closed the session; who does not want to wait that long closes it.
   */
  async leave(): Promise<void> {
    if (this.#end.isUp) {
      try {
        await this.ask(leaveAsk, null);
      } catch (thrown) {
        // Lost meanwhile, or a gateway that does not answer.
        this.close(toError(thrown).message);
      }
      this.#hasLeft = true;
    } else {
      this.close("the node leaves");
    }
    await this.ended;
  }

  /** Ends the session and its pipe. */
  close(reason: string): void {
    this.#end.close(reason);
  }

  /** Called by the pipe's end. */
  handshake(message: Uint8Array): void {
    try {
      const step = this.#handshake.received(message);
      if (step.kind === "send") {
        this.#end.outbox.send(step.message);
        return;
      }
      if (!this.#end.greeted(step)) return;
      this.#gateway = step.gateway;
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    this.#host.up(this);
  }

  /** Called by the pipe's end. */
  entry(entry: readonly unknown[]): void {
    if (this.#calls.entry(entry)) return;
    const [operation, ask, isGranted, value] = entry;
    if (operation === toNode.reply) this.#asks.answered(ask as number, isGranted === true, value);
    else this.close("the gateway sends what is no entry");
  }

  /** Called by the pipe's end. */
  pipeEnded(reason: string): void {
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

  /** The two do not come together: the gateway refused, or said what cannot be. */
  #fail(thrown: unknown): void {
    this.#refusal = isGenApiError(thrown) ? thrown : internalError(toError(thrown));
    this.close(this.#refusal.message);
  }
}
