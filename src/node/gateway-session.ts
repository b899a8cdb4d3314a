import type { Status } from "../actor/format-status.ts";
import type { Clock } from "../core/clock.ts";
import { type GenApiError, isGenApiError, libraryError, toError } from "../core/errors.ts";
import { internalError } from "../worker/thrown-data.ts";
import type { CancelReason } from "../worker/worker-call.ts";
import { Asks } from "./asks.ts";
import { CallSlots } from "./call-slots.ts";
import { encodeEntry } from "./frame-codec.ts";
import { NodeHandshake } from "./handshake.ts";
import { unpackIdentity, unpackTrace } from "./identity-codec.ts";
import { fromNode, fromNodeLimits, leaveAsk, maxDefinitions, toNode, toNodeLimits } from "./node-protocol.ts";
import type { Pipe, PipeReceiver } from "./pipe.ts";
import { PipeEnd, type PipeEndOwner } from "./pipe-end.ts";
import type { NodeIdentity } from "./proof.ts";
import type { RemoteNode } from "./remote-call.ts";
import { failureData } from "./remote-failure.ts";
import { type Served, ServedCall, type ServedFunction, type ServedOwner, ServedStream } from "./served-call.ts";
import { isServedTelemetryActive } from "./served-telemetry.ts";
import { notRun } from "./unavailable.ts";

/** What a service node is to its sessions with gateways. */
export interface GatewaySessionHost extends NodeIdentity {
  readonly clock: Clock;
  /** Null: only gateways on this machine that have none either. */
  readonly token: string | null;
  /** Runs what gateways send. */
  readonly executor: RemoteNode;
  /** The most calls and streams of one gateway; beyond, they are `unavailable`. */
  readonly maxInFlight: number;
  /** Bytes on their way to one gateway, beyond which its calls are `unavailable`. */
  readonly maxBufferedBytes: number;
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

const cancelReasons: ReadonlySet<unknown> = new Set<CancelReason>(["timeout", "cancelled", "disconnected", "stopped"]);

/**
 * A service node's session with one gateway, over one pipe: runs the calls and streams that the gateway sends, and asks
 * it things. When it ends, what runs for the gateway is cancelled, casts apart.
 */
export class GatewaySession implements PipeEndOwner, ServedOwner {
  readonly #host: GatewaySessionHost;
  readonly #end: PipeEnd;
  readonly #handshake: NodeHandshake;
  readonly #functions: ServedFunction[] = [];
  readonly #calls = new CallSlots<Served>();
  readonly #asks: Asks;
  /** Resolves when the pipe has ended. */
  readonly ended: Promise<void>;
  #onEnded!: () => void;
  #gateway: string | null = null;
  #refusal: GenApiError | null = null;
  #hasLeft = false;

  constructor(pipe: Pipe, host: GatewaySessionHost) {
    this.#host = host;
    this.#end = new PipeEnd(pipe, host.clock, this, limits);
    this.#asks = new Asks(this.#end.outbox, host.clock, host.askTimeoutMs);
    const { node, services, instance, token } = host;
    const { isLoopback } = pipe;
    this.#handshake = new NodeHandshake({ node, services, instance, token, isLoopback, nonce: host.nonce() });
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    // Whoever made the pipe takes what is said, or a close, only when it was told who receives.
    queueMicrotask(() => this.#greet());
  }

  /** Who takes what comes through the pipe. */
  get receiver(): PipeReceiver {
    return this.#end;
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

  /** @internal called by the pipe's end */
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

  /** @internal called by the pipe's end */
  entry(entry: readonly unknown[]): void {
    const [operation, id, third, fourth, fifth, sixth] = entry;
    switch (operation) {
      case toNode.call:
      case toNode.cast:
      case toNode.stream:
        this.#run(operation, id as number, third, fourth, fifth, sixth);
        break;
      case toNode.grant: {
        const served = this.#calls.get(id as number);
        // Null where it has ended and the gateway had not heard of that.
        if (served instanceof ServedStream && isCount(third)) served.grant(third);
        break;
      }
      case toNode.cancel: {
        const served = this.#calls.get(id as number);
        if (served === null) break;
        this.#calls.delete(served);
        served.cancel(cancelReasons.has(third) ? (third as CancelReason) : "cancelled");
        break;
      }
      case toNode.reply:
        this.#asks.answered(id as number, third === true, fourth);
        break;
      case toNode.define:
        this.#define(entry);
        break;
      default:
        this.close("the gateway sends what is no entry");
    }
  }

  /** @internal called by the pipe's end */
  pipeEnded(reason: string): void {
    this.#onEnded();
    this.#asks.fail(reason);
    for (const served of this.#calls.clear()) {
      if (!(served instanceof ServedCall && served.isCast)) served.cancel("disconnected");
    }
    if (this.#gateway !== null) this.#host.down(this, reason);
    else this.#host.refused(this, this.#refusal ?? libraryError("unavailable", `The gateway did not greet: ${reason}`));
  }

  /** @internal called by the stream */
  chunk(served: Served, json: string): void {
    if (this.#calls.get(served.id) === served) this.#answer(served, fromNode.chunk, json);
  }

  /** @internal called by the call */
  succeeded(served: Served, json: string | null): void {
    if (this.#calls.delete(served) === -1) return;
    this.#answer(served, served instanceof ServedStream ? fromNode.end : fromNode.result, json);
  }

  /** @internal called by the call */
  failed(served: Served, error: GenApiError, begun: boolean): void {
    if (this.#calls.delete(served) !== -1) this.#sendFailure(served.id, error, begun);
  }

  #greet(): void {
    try {
      this.#end.outbox.send(this.#handshake.hello());
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #run(
    operation: number,
    id: number,
    number: unknown,
    maxResultBytes: unknown,
    identity: unknown,
    args: unknown,
  ): void {
    const called = this.#functions[number as number];
    if (called === undefined || !isCount(maxResultBytes) || !Array.isArray(args)) {
      this.close("the gateway sends a call that cannot be read");
      return;
    }
    if (!Number.isSafeInteger(id) || id < 0) {
      this.close("the gateway sends a call without an id");
      return;
    }
    const refused = this.#whyNot();
    if (refused !== null) {
      this.#sendFailure(id, notRun(refused), false);
      return;
    }
    const { executor } = this.#host;
    const unpacked = unpackIdentity(identity);
    const trace = unpackTrace(identity);
    if (operation === toNode.stream) {
      const served = new ServedStream(this, called, maxResultBytes, unpacked, trace, args);
      if (this.#keep(id, served)) served.task = executor.stream(served);
    } else {
      const isCast = operation === toNode.cast;
      const served = new ServedCall(this, called, maxResultBytes, unpacked, trace, args, isCast);
      if (this.#keep(id, served)) served.task = executor.run(served);
    }
  }

  #keep(id: number, served: Served): boolean {
    if (!this.#calls.put(id, served)) {
      this.close("the gateway gives a call an id that another has");
      return false;
    }
    const { node, clock } = this.#host;
    if (isServedTelemetryActive()) served.observe({ node, gateway: this.#gateway ?? "" }, clock);
    return true;
  }

  #whyNot(): Parameters<typeof notRun>[0] | null {
    if (this.#hasLeft) return "leaving";
    if (this.#calls.size >= this.#host.maxInFlight) return "full";
    return this.#end.outbox.bufferedBytes > this.#host.maxBufferedBytes ? "congested" : null;
  }

  #define([, number, module, name, service, requestType, version]: readonly unknown[]): void {
    const texts = [module, name, service, requestType, version ?? ""];
    if (!isCount(number) || number >= maxDefinitions || !texts.every((text) => typeof text === "string")) {
      this.close("the gateway defines a function that cannot be read");
      return;
    }
    this.#functions[number] = { module, function: name, service, requestType, version } as ServedFunction;
  }

  #answer({ id }: Served, operation: number, json: string | null): void {
    let entry: Uint8Array;
    try {
      entry = encodeEntry([operation, id, json]);
    } catch (thrown) {
      // Bigger than a message may be: the gateway is told of that instead.
      this.#sendFailure(id, internalError(toError(thrown)), true);
      return;
    }
    this.#end.outbox.put(entry);
  }

  #sendFailure(id: number, error: GenApiError, begun: boolean): void {
    let entry: Uint8Array;
    try {
      entry = encodeEntry([fromNode.failure, id, failureData(error), begun]);
    } catch (thrown) {
      entry = encodeEntry([fromNode.failure, id, failureData(internalError(toError(thrown))), begun]);
    }
    this.#end.outbox.put(entry);
  }

  /** The two do not come together: the gateway refused, or said what cannot be. */
  #fail(thrown: unknown): void {
    this.#refusal = isGenApiError(thrown) ? thrown : internalError(toError(thrown));
    this.close(this.#refusal.message);
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
