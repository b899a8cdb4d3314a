import { type GenApiError, toError } from "../../core/errors.ts";
import { internalError } from "../../core/failures.ts";
import type { Clock } from "../../core/time/clock.ts";
import { streamWindow, widestClientWindow } from "../../execution/stream-credit.ts";
import type { CancelReason } from "../../execution/worker-call.ts";
import { encodeEntry, encodeForeign } from "../wire/frame-codec.ts";
import { unpackIdentity, unpackTrace } from "../wire/identity-codec.ts";
import { fromNode, fromNodeLimits, maxDefinitions, toNode } from "../wire/node-protocol.ts";
import type { Outbox } from "../wire/outbox.ts";
import { SharesOfGateway } from "../wire/share-codec.ts";
import { CallSlots } from "./call-slots.ts";
import { notRun } from "./not-run.ts";
import type { RemoteNode } from "./remote-call.ts";
import { failureData } from "./remote-failure.ts";
import { type Served, ServedCall, type ServedFunction, type ServedOwner, ServedStream } from "./served-call.ts";
import { isServedTelemetryActive } from "./served-telemetry.ts";

/** Where calls of gateways run, and their limits. */
export interface ServedCallsOptions {
  /** This node's name. */
  readonly node: string;
  readonly clock: Clock;
  /** Runs the gateways' calls. */
  readonly executor: RemoteNode;
  /** The most calls and streams of one gateway; further ones are `unavailable`. */
  readonly maxInFlight: number;
  /** The most unsent bytes for one gateway; further calls of it are `unavailable`. */
  readonly maxBufferedBytes: number;
}

/** The session through which calls come. */
export interface ServedCallsOwner {
  /** The gateway's name; null until it has proven its identity. */
  readonly gateway: string | null;
  /** Whether the node accepts no more calls. */
  readonly hasLeft: boolean;
  /** The gateway broke the protocol. */
  close(reason: string): void;
}

const cancelReasons: ReadonlySet<unknown> = new Set<CancelReason>(["timeout", "cancelled", "disconnected", "stopped"]);

/** The calls and streams that a node runs for one gateway: starts them, and sends their answers. */
export class ServedCalls {
  readonly #outbox: Outbox;
  readonly #owner: ServedCallsOwner;
  readonly #ofServed: ServedOwner = {
    chunk: (served, json) => this.#chunk(served, json),
    succeeded: (served, json) => this.#succeeded(served, json),
    failed: (served, error, begun) => this.#failed(served, error, begun),
    nested: (served, operation, ...rest) => this.#nested(served, operation, rest),
  };
  readonly #options: ServedCallsOptions;
  /** By the numbers that the gateway assigned. */
  readonly #functions: ServedFunction[] = [];
  readonly #shares = new SharesOfGateway();
  readonly #calls = new CallSlots<Served>();
  /** How many unconsumed chunks of a stream may be sent to the gateway, as its welcome said. */
  streamWindow = streamWindow;

  constructor(outbox: Outbox, owner: ServedCallsOwner, options: ServedCallsOptions) {
    this.#outbox = outbox;
    this.#owner = owner;
    this.#options = options;
  }

  get size(): number {
    return this.#calls.size;
  }

  /**
   * Handles a message about a call or a function.
   * @returns false if it is about anything else
   */
  entry(entry: readonly unknown[]): boolean {
    const [operation, id, third, fourth, fifth, sixth, seventh, eighth, ninth] = entry;
    switch (operation) {
      case toNode.call:
      case toNode.cast:
      case toNode.stream:
        this.#run(operation, id as number, third, fourth, fifth, sixth, seventh, eighth, ninth === true);
        return true;
      case toNode.respond: {
        const isText = typeof fourth === "string" || fourth === null;
        // Null if its function has ended before the gateway knew.
        if (isText) this.#calls.get(id as number)?.responded(third as number, fourth, fifth === true);
        return true;
      }
      case toNode.grant: {
        const served = this.#calls.get(id as number);
        // Null if it has ended before the gateway knew.
        if (served instanceof ServedStream && isCount(third)) served.grant(third);
        return true;
      }
      case toNode.acknowledge: {
        const served = this.#calls.get(id as number);
        if (served instanceof ServedStream && isCount(third)) served.acknowledge(third);
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

  /** The gateway is lost: cancels its calls, except casts. */
  lost(): void {
    for (const served of this.#calls.clear()) {
      if (!(served instanceof ServedCall && served.isCast)) served.cancel("disconnected");
      served.cutOff();
    }
  }

  #chunk(served: Served, json: string): void {
    if (this.#calls.get(served.id) === served) this.#answer(served, fromNode.chunk, json);
  }

  #succeeded(served: Served, json: string | null): void {
    if (this.#calls.delete(served) === -1) return;
    this.#answer(served, served instanceof ServedStream ? fromNode.end : fromNode.result, json);
  }

  #failed(served: Served, error: GenApiError, begun: boolean): void {
    if (this.#calls.delete(served) !== -1) this.#sendFailure(served.id, error, begun);
  }

  #run(
    operation: number,
    id: number,
    number: unknown,
    maxResultBytes: unknown,
    identity: unknown,
    args: unknown,
    packedShare: unknown,
    window: unknown,
    isNested: boolean,
  ): void {
    const called = this.#functions[number as number];
    const share = this.#shares.unpack(packedShare, this.#owner.gateway ?? "");
    if (called === undefined || !isCount(maxResultBytes) || !Array.isArray(args) || share === undefined) {
      this.#owner.close("the gateway sent an unreadable call");
      return;
    }
    if (!isCount(id)) {
      this.#owner.close("the gateway sent a call without an id");
      return;
    }
    const refused = this.#whyNot();
    if (refused !== null) {
      this.#sendFailure(id, notRun(refused), false);
      return;
    }
    const { executor, clock } = this.#options;
    const unpacked = unpackIdentity(identity, clock.systemTime());
    const trace = unpackTrace(identity);
    if (operation === toNode.stream) {
      const { streamWindow } = this;
      const served = new ServedStream(
        this.#ofServed,
        called,
        maxResultBytes,
        unpacked,
        trace,
        args,
        share,
        isNested,
        streamWindow,
        isWindow(window) ? window : null,
      );
      if (this.#keep(id, served)) served.started(executor.stream(served));
    } else {
      const isCast = operation === toNode.cast;
      const served = new ServedCall(
        this.#ofServed,
        called,
        maxResultBytes,
        unpacked,
        trace,
        args,
        share,
        isNested,
        isCast,
      );
      if (this.#keep(id, served)) served.task = executor.run(served);
    }
  }

  #keep(id: number, served: Served): boolean {
    if (!this.#calls.put(id, served)) {
      this.#owner.close("the gateway gave a call an id that is in use");
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

  /** To a gateway that is lost, or has given up the function's call, nothing is sent. */
  #nested(served: Served, operation: unknown, rest: readonly unknown[]): void {
    const [number] = rest;
    if (this.#calls.get(served.id) !== served) {
      if (operation === fromNode.nested) served.responded(number as number, null, true);
      return;
    }
    try {
      this.#outbox.put(encodeForeign([operation, served.id, ...rest], fromNodeLimits));
    } catch {
      // Too big for a message. The gateway would refuse it too.
      served.responded(number as number, null, true);
    }
  }

  #define([, number, module, name, service, requestType, version]: readonly unknown[]): void {
    const texts = [module, name, service, requestType, version ?? ""];
    if (!isCount(number) || number >= maxDefinitions || !texts.every((text) => typeof text === "string")) {
      this.#owner.close("the gateway sent an unreadable definition of a function");
      return;
    }
    this.#functions[number] = { module, function: name, service, requestType, version } as ServedFunction;
  }

  #answer({ id }: Served, operation: number, json: string | null): void {
    let entry: Uint8Array;
    try {
      entry = encodeEntry([operation, id, json]);
    } catch (thrown) {
      // Too big for a message: the gateway gets this error instead.
      this.#sendFailure(id, internalError(toError(thrown)), true);
      return;
    }
    this.#outbox.put(entry);
  }

  #sendFailure(id: number, error: GenApiError, begun: boolean): void {
    let entry: Uint8Array;
    try {
      entry = encodeForeign([fromNode.failure, id, failureData(error), begun], fromNodeLimits);
    } catch (thrown) {
      entry = encodeForeign([fromNode.failure, id, failureData(internalError(toError(thrown))), begun], fromNodeLimits);
    }
    this.#outbox.put(entry);
  }
}

function isWindow(value: unknown): value is number {
  return isCount(value) && value >= 1 && value <= widestClientWindow;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
