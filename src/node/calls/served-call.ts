import type { GenApiError } from "../../core/errors.ts";
import { unavailableMessage } from "../../core/failures.ts";
import type { Share } from "../../core/fair/share.ts";
import type { RequestIdentity, TraceContext } from "../../core/request-info.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { NestedListener, NestedRequest, RunningNested } from "../../execution/call-carrier.ts";
import { WindowCredit } from "../../execution/stream-credit.ts";
import type { CancelReason, RunningStream, RunningTask } from "../../execution/worker-call.ts";
import { fromNode } from "../wire/node-protocol.ts";
import type { Numbered } from "./call-slots.ts";
import type { RemoteCall, RemoteStream } from "./remote-call.ts";
import { type ServedIdentity, ServedTelemetry } from "./served-telemetry.ts";

/** The function behind a number. */
export interface ServedFunction {
  readonly module: string;
  readonly function: string;
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
}

/** Sends the answers of a call that a node runs. */
export interface ServedOwner {
  /** Sends a stream's chunk. */
  chunk(served: Served, json: string): void;
  /** Sends the result, or a stream's last chunk. */
  succeeded(served: Served, json: string | null): void;
  failed(served: Served, error: GenApiError, begun: boolean): void;
  /** Sends a message about a call that the function makes: its operation, its number, and the rest. */
  nested(served: Served, ...entry: readonly unknown[]): void;
}

/** What a function hears whose gateway is gone. */
const lostResponse = JSON.stringify({
  success: false,
  result: null,
  error: unavailableMessage,
  async: false,
  has_more: false,
  can_retry: true,
  error_code: "unavailable",
});

/** A call or stream that a node runs for a gateway. */
export abstract class Served implements Numbered, ServedFunction {
  protected readonly owner: ServedOwner;
  readonly module: string;
  readonly moduleName: string;
  readonly function: string;
  /** Only the node's own modules tell. */
  readonly ofService = false;
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
  readonly maxResultBytes: number;
  identity: RequestIdentity | null;
  trace: TraceContext | null;
  readonly args: readonly unknown[];
  readonly share: Share;
  readonly isNested: boolean;
  id = -1;
  /** The calls that its function waits for, by number; created for the first. */
  #listeners: Map<number, NestedListener> | null = null;
  #nestedCount = 0;
  /** Set once it was started. */
  task: RunningTask | null = null;
  /** Null while there are no listeners. */
  protected telemetry: ServedTelemetry | null = null;

  constructor(
    owner: ServedOwner,
    called: ServedFunction,
    maxResultBytes: number,
    identity: RequestIdentity | null,
    trace: TraceContext | null,
    args: readonly unknown[],
    share: Share,
    isNested: boolean,
  ) {
    this.owner = owner;
    this.module = called.module;
    this.moduleName = called.module;
    this.function = called.function;
    this.service = called.service;
    this.requestType = called.requestType;
    this.version = called.version;
    this.maxResultBytes = maxResultBytes;
    this.identity = identity;
    this.trace = trace;
    this.args = args;
    this.share = share;
    this.isNested = isNested;
  }

  /** Its function calls another: the gateway does. */
  carry(request: NestedRequest, listener: NestedListener): RunningNested {
    const { service, requestType, args, version, timeoutMs, isStream } = request;
    const number = this.#nestedCount++;
    this.#listeners ??= new Map();
    this.#listeners.set(number, listener);
    this.owner.nested(this, fromNode.nested, number, service, requestType, args, version, timeoutMs, isStream);
    return {
      cancel: () => this.owner.nested(this, fromNode.nestedCancel, number),
      grant: (chunks) => this.owner.nested(this, fromNode.nestedGrant, number, chunks),
    };
  }

  /** The gateway's Response to a call that its function made; null: there is none, and none will come. */
  responded(number: number, response: string | null, isLast: boolean): void {
    const listener = this.#listeners?.get(number);
    if (listener === undefined) return;
    if (isLast) this.#listeners?.delete(number);
    listener.onResponse(response ?? lostResponse, isLast);
  }

  /** No Response will come any more, though the function may go on. */
  cutOff(): void {
    for (const number of this.#listeners?.keys() ?? []) this.responded(number, null, true);
  }

  /** Starts its telemetry, before the call starts. A tracing adapter then inserts a span of this node. */
  observe({ node, gateway }: Pick<ServedIdentity, "node" | "gateway">, clock: Clock): void {
    const { service, requestType, version, module, identity } = this;
    const request_id = identity?.requestId ?? null;
    const named = { service, request_type: requestType, version, function: `${module}.${this.function}` };
    this.telemetry = new ServedTelemetry({ node, gateway, request_id, ...named }, this.trace, clock);
    this.trace = this.telemetry.trace;
    if (identity !== null) this.identity = { ...identity, trace: this.trace };
  }

  /** The caller no longer waits. */
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
    share: Share,
    isNested: boolean,
    isCast: boolean,
  ) {
    super(owner, called, maxResultBytes, identity, trace, args, share, isNested);
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
  readonly #credit: WindowCredit;
  /** The client's own, if it asked for one. */
  readonly window: number | null;
  /** Chunks to grant once it has started. */
  #owed = 0;

  /**
   * @param streamWindow how many unconsumed chunks may be sent to the gateway
   * @param window how many may be unacknowledged by the client; null: any number
   */
  constructor(
    owner: ServedOwner,
    called: ServedFunction,
    maxResultBytes: number,
    identity: RequestIdentity | null,
    trace: TraceContext | null,
    args: readonly unknown[],
    share: Share,
    isNested: boolean,
    streamWindow: number,
    window: number | null,
  ) {
    super(owner, called, maxResultBytes, identity, trace, args, share, isNested);
    this.#credit = new WindowCredit(streamWindow);
    this.window = window;
  }

  /** It runs, and may have sent chunks already. */
  started(task: RunningStream): void {
    this.task = task;
    const owed = this.#owed;
    this.#owed = 0;
    this.#pass(owed);
  }

  chunk(json: string): void {
    this.owner.chunk(this, json);
    this.#pass(this.#credit.sent(json.length));
  }

  /** The gateway's consumer has taken `chunks` of the chunks sent. */
  grant(chunks: number): void {
    this.#pass(this.#credit.consumed(chunks));
  }

  /** The client has acknowledged `chunks` of the chunks that it received, so the stream has started. */
  acknowledge(chunks: number): void {
    this.task?.acknowledge(chunks);
  }

  #pass(chunks: number): void {
    if (this.task === null) this.#owed += chunks;
    else if (chunks > 0) this.task.grant(chunks);
  }

  ended(lastJson: string | null): void {
    this.telemetry?.ended(null, null);
    this.owner.succeeded(this, lastJson);
  }
}
