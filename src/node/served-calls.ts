import type { Clock } from "../core/clock.ts";
import { type GenApiError, toError } from "../core/errors.ts";
import { internalError } from "../worker/thrown-data.ts";
import type { CancelReason } from "../worker/worker-call.ts";
import { CallSlots } from "./call-slots.ts";
import { encodeEntry } from "./frame-codec.ts";
import { unpackIdentity, unpackTrace } from "./identity-codec.ts";
import { fromNode, maxDefinitions, toNode } from "./node-protocol.ts";
import type { Outbox } from "./outbox.ts";
import type { RemoteNode } from "./remote-call.ts";
import { failureData } from "./remote-failure.ts";
import { type Served, ServedCall, type ServedFunction, type ServedOwner, ServedStream } from "./served-call.ts";
import { isServedTelemetryActive } from "./served-telemetry.ts";
import { notRun } from "./unavailable.ts";

/** Where calls of gateways run, and how many. */
export interface ServedCallsOptions {
  /** This node's name. */
  readonly node: string;
  readonly clock: Clock;
  /** Runs what gateways send. */
  readonly executor: RemoteNode;
  /** The most calls and streams of one gateway; beyond, they are `unavailable`. */
  readonly maxInFlight: number;
  /** Bytes on their way to one gateway, beyond which its calls are `unavailable`. */
  readonly maxBufferedBytes: number;
}

/** The session that calls come through. */
export interface ServedCallsOwner {
  /** The gateway's name; null until it has proven itself. */
  readonly gateway: string | null;
  /** The node takes no more calls. */
  readonly hasLeft: boolean;
  /** The gateway broke the protocol. */
  close(reason: string): void;
}

const cancelReasons: ReadonlySet<unknown> = new Set<CancelReason>(["timeout", "cancelled", "disconnected", "stopped"]);

/** The calls and streams that a node runs for one gateway: starts what comes, and sends what they answer. */
export class ServedCalls implements ServedOwner {
  readonly #outbox: Outbox;
  readonly #owner: ServedCallsOwner;
  readonly #options: ServedCallsOptions;
  /** By the numbers that the gateway gave them. */
  readonly #functions: ServedFunction[] = [];
  readonly #calls = new CallSlots<Served>();

  constructor(outbox: Outbox, owner: ServedCallsOwner, options: ServedCallsOptions) {
    this.#outbox = outbox;
    this.#owner = owner;
    this.#options = options;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Takes what the gateway says of a call or a function. @returns false for what it says of anything else */
  entry(entry: readonly unknown[]): boolean {
    const [operation, id, third, fourth, fifth, sixth] = entry;
    switch (operation) {
      case toNode.call:
      case toNode.cast:
      case toNode.stream:
        this.#run(operation, id as number, third, fourth, fifth, sixth);
        return true;
      case toNode.grant: {
        const served = this.#calls.get(id as number);
        // Null where it has ended and the gateway had not heard of that.
        if (served instanceof ServedStream && isCount(third)) served.grant(third);
        return true;
      }
      case toNode.cancel: {
        const served = this.#calls.get(id as number);
        if (served === null) return true;
        this.#calls.delete(served);
        served.cancel(cancelReasons.has(third) ? (third as CancelReason) : "cancelled");
        return true;
      }
      case toNode.define:
        this.#define(entry);
        return true;
      default:
        return false;
    }
  }

  /** The gateway is lost: what runs for it is cancelled, casts apart. */
  lost(): void {
    for (const served of this.#calls.clear()) {
      if (!(served instanceof ServedCall && served.isCast)) served.cancel("disconnected");
    }
  }

  /** Called by the stream. */
  chunk(served: Served, json: string): void {
    if (this.#calls.get(served.id) === served) this.#answer(served, fromNode.chunk, json);
  }

  /** Called by the call. */
  succeeded(served: Served, json: string | null): void {
    if (this.#calls.delete(served) === -1) return;
    this.#answer(served, served instanceof ServedStream ? fromNode.end : fromNode.result, json);
  }

  /** Called by the call. */
  failed(served: Served, error: GenApiError, begun: boolean): void {
    if (this.#calls.delete(served) !== -1) this.#sendFailure(served.id, error, begun);
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
      this.#owner.close("the gateway sends a call that cannot be read");
      return;
    }
    if (!isCount(id)) {
      this.#owner.close("the gateway sends a call without an id");
      return;
    }
    const refused = this.#whyNot();
    if (refused !== null) {
      this.#sendFailure(id, notRun(refused), false);
      return;
    }
    const { executor } = this.#options;
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
      this.#owner.close("the gateway gives a call an id that another has");
      return false;
    }
    const { node, clock } = this.#options;
    if (isServedTelemetryActive()) served.observe({ node, gateway: this.#owner.gateway ?? "" }, clock);
    return true;
  }

  #whyNot(): Parameters<typeof notRun>[0] | null {
    if (this.#owner.hasLeft) return "leaving";
    const { maxInFlight, maxBufferedBytes } = this.#options;
    if (this.#calls.size >= maxInFlight) return "full";
    return this.#outbox.bufferedBytes > maxBufferedBytes ? "congested" : null;
  }

  #define([, number, module, name, service, requestType, version]: readonly unknown[]): void {
    const texts = [module, name, service, requestType, version ?? ""];
    if (!isCount(number) || number >= maxDefinitions || !texts.every((text) => typeof text === "string")) {
      this.#owner.close("the gateway defines a function that cannot be read");
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
    this.#outbox.put(entry);
  }

  #sendFailure(id: number, error: GenApiError, begun: boolean): void {
    let entry: Uint8Array;
    try {
      entry = encodeEntry([fromNode.failure, id, failureData(error), begun]);
    } catch (thrown) {
      entry = encodeEntry([fromNode.failure, id, failureData(internalError(toError(thrown))), begun]);
    }
    this.#outbox.put(entry);
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
