import type { Clock } from "../core/clock.ts";
import type { GenApiError } from "../core/errors.ts";
import type { RequestIdentity, TraceContext } from "../core/request-info.ts";
import type { CancelReason, RunningStream, RunningTask } from "../worker/worker-call.ts";
import type { Numbered } from "./call-slots.ts";
import type { RemoteCall, RemoteStream } from "./remote-call.ts";
import { type ServedIdentity, ServedTelemetry } from "./served-telemetry.ts";

/** What a function's number stands for. */
export interface ServedFunction {
  readonly module: string;
  readonly function: string;
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
}

/** Who sends the answers of a call that a node runs. */
export interface ServedOwner {
  /** Sends a stream's chunk. */
  chunk(served: Served, json: string): void;
  /** Sends the result, or a stream's last chunk. */
  succeeded(served: Served, json: string | null): void;
  failed(served: Served, error: GenApiError, begun: boolean): void;
}

/** A call or stream that a node runs for a gateway. */
export abstract class Served implements Numbered, ServedFunction {
  protected readonly owner: ServedOwner;
  readonly module: string;
  readonly function: string;
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
  readonly maxResultBytes: number;
  identity: RequestIdentity | null;
  trace: TraceContext | null;
  readonly args: readonly unknown[];
  id = -1;
  /** Set once it was started. */
  task: RunningTask | null = null;
  /** Null while nobody listens. */
  protected telemetry: ServedTelemetry | null = null;

  constructor(
    owner: ServedOwner,
    called: ServedFunction,
    maxResultBytes: number,
    identity: RequestIdentity | null,
    trace: TraceContext | null,
    args: readonly unknown[],
  ) {
    this.owner = owner;
    this.module = called.module;
    this.function = called.function;
    this.service = called.service;
    this.requestType = called.requestType;
    this.version = called.version;
    this.maxResultBytes = maxResultBytes;
    this.identity = identity;
    this.trace = trace;
    this.args = args;
  }

  /** Lets telemetry hear of it, before it starts. A tracing adapter puts a span of this node between. */
  observe({ node, gateway }: Pick<ServedIdentity, "node" | "gateway">, clock: Clock): void {
    const { service, requestType, version, module, identity } = this;
    const request_id = identity?.requestId ?? null;
    const named = { service, request_type: requestType, version, function: `${module}.${this.function}` };
    this.telemetry = new ServedTelemetry({ node, gateway, request_id, ...named }, this.trace, clock);
    this.trace = this.telemetry.trace;
    if (identity !== null) this.identity = { ...identity, trace: this.trace };
  }

  /** Nobody waits for it any more. */
  cancel(reason: CancelReason): void {
    this.telemetry?.ended(reason === "timeout" ? "timeout" : "cancelled", null);
    this.task?.cancel(reason);
  }

  failed(error: GenApiError, begun: boolean): void {
    this.telemetry?.ended(error.code, error);
    this.owner.failed(this, error, begun);
  }
}

/** A call that a node runs. */
export class ServedCall extends Served implements RemoteCall {
  readonly isCast: boolean;

  constructor(
    owner: ServedOwner,
    called: ServedFunction,
    maxResultBytes: number,
    identity: RequestIdentity | null,
    trace: TraceContext | null,
    args: readonly unknown[],
    isCast: boolean,
  ) {
    super(owner, called, maxResultBytes, identity, trace, args);
    this.isCast = isCast;
  }

  succeeded(json: string): void {
    this.telemetry?.ended(null, null);
    this.owner.succeeded(this, json);
  }
}

/** A stream that a node produces. */
export class ServedStream extends Served implements RemoteStream {
  declare task: RunningStream | null;
  /** Chunks that were sent and not granted yet. */
  #unread = 0;

  chunk(json: string): void {
    this.#unread++;
    this.owner.chunk(this, json);
  }

  /** The gateway's consumer has taken so many chunks, of those that were sent. */
  grant(chunks: number): void {
    const granted = Math.min(chunks, this.#unread);
    this.#unread -= granted;
    if (granted > 0) this.task?.grant(granted);
  }

  ended(lastJson: string | null): void {
    this.telemetry?.ended(null, null);
    this.owner.succeeded(this, lastJson);
  }
}
