import type { Share } from "../core/fair/share.ts";
import type { FunctionName } from "../core/function-name.ts";
import type { RequestIdentity, TraceContext } from "../core/request-info.ts";
import type { Clock } from "../core/time/clock.ts";
import type { CallCarrier, NestedListener, NestedRequest, RunningNested } from "../execution/call-carrier.ts";
import type { CancelReason, RunningStream } from "../execution/worker-call.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { CallTarget } from "./functions/compile-function.ts";
import type { NestedCalls } from "./nested/nested-calls.ts";
import type { Caller, LaterResponses } from "./request/caller.ts";
import { cancelled, type Failure, internal, timedOut } from "./request/failure.ts";
import { encodeChunk, encodeStreamEnd, withSeq } from "./request/response.ts";

const streamStart = telemetryEvent("stream.start");
const streamStop = telemetryEvent("stream.stop");

/** Produces streams: the stream pool, the gateway's own thread, a service node. */
export interface StreamExecutor {
  /** Ends by `stream.ended` or `stream.failed`, possibly before it returns. */
  stream(stream: StreamCall): RunningStream;
}

/** The requester of a stream. */
export interface StreamListener {
  /** The id in its Responses; another one once its request was repeated under that. */
  readonly requestId: string;
  /** Called before the first chunk, or if none was sent: the client must be notified that the stream begins. */
  onStreamBegins(): void;
  /**
   * Called once, at its end.
   *
   * @param response the Response that reports it
   * @param failure null for an orderly end
   * @param begun false if the function was certainly not called
   */
  onStreamEnded(response: string, failure: Failure | null, begun: boolean): void;
  /** As of an attempt. */
  nestedCalls(identity: RequestIdentity | null): NestedCalls;
}

/** The parts of a stream. */
export interface StreamCallOptions {
  readonly gateway: string;
  readonly name: FunctionName;
  readonly target: CallTarget;
  readonly args: readonly unknown[];
  readonly identity: RequestIdentity | null;
  readonly trace: TraceContext | null;
  /** The client whose stream it is. */
  readonly caller: Pick<Caller, "share" | "depth">;
  readonly maxResultBytes: number;
  /** The most chunks that its client has not acknowledged; null without a window. */
  readonly window: number | null;
  /** How long a client that reads nothing keeps its stream, milliseconds. */
  readonly stallTimeoutMs: number;
  readonly clock: Clock;
  readonly executor: StreamExecutor;
  /** Receives its chunks. */
  readonly channel: LaterResponses;
  readonly owner: StreamListener;
  encodeFailure(failure: Failure): string;
}

/**
 * A stream on its way to a client: passes chunks on, gives the producer credit for as many as the client's socket
 * takes, and ends it exactly once. Its actor starts it, and ends it when the actor is killed.
 */
export class StreamCall implements CallCarrier {
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
  readonly module: string;
  readonly moduleName: string;
  readonly function: string;
  readonly ofService: boolean;
  readonly target: CallTarget;
  readonly args: readonly unknown[];
  readonly identity: RequestIdentity | null;
  /** Continued by the service node that runs it. */
  readonly trace: TraceContext | null;
  readonly share: Share;
  readonly isNested: boolean;
  readonly maxResultBytes: number;
  readonly window: number | null;
  readonly #options: StreamCallOptions;
  #running: RunningStream | null = null;
  /** The calls that its function makes. */
  #nested: NestedCalls | null = null;
  #onOver: () => void = () => undefined;
  #isOver = false;
  #startedAt = 0;
  #chunks = 0;
  /** The number of the last chunk that the client has acknowledged. */
  #acknowledged = 0;
  /** Acknowledged chunks of which the producer, not started yet, does not know. */
  #allowed = 0;
  /** Chunks sent but not granted yet, because the socket is full or the producer not started. */
  #owed = 0;
  #isStalled = false;
  /** Whether its client is gone, and may come back. */
  #isDetached = false;
  #timer: unknown = null;
  /** When the producer last showed a sign of life, or got credit again. */
  #activeAt = 0;

  constructor(options: StreamCallOptions) {
    const { name, target, args, identity, trace, caller, maxResultBytes, window } = options;
    this.service = name.service;
    this.requestType = name.requestType;
    this.version = name.version;
    this.module = target.module;
    this.moduleName = target.moduleName;
    this.function = target.function;
    this.ofService = target.ofService;
    this.target = target;
    this.args = args;
    this.identity = identity;
    this.trace = trace;
    this.share = caller.share;
    this.isNested = caller.depth > 0;
    this.maxResultBytes = maxResultBytes;
    this.window = window;
    this.#options = options;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** @param onOver called once when it has ended */
  start(onOver: () => void): void {
    const { clock, executor, owner } = this.#options;
    // Ended before its actor started it.
    if (this.#isOver) {
      onOver();
      return;
    }
    this.#onOver = onOver;
    this.#startedAt = clock.now();
    this.#activeAt = this.#startedAt;
    if (streamStart.active) streamStart.emit({ system_time: clock.systemTime() }, this.#identify());
    try {
      this.#running = executor.stream(this);
    } catch (thrown) {
      // It may have begun nevertheless.
      this.failed(internal(thrown), true);
    }
    if (this.#isOver) {
      onOver();
      return;
    }
    owner.onStreamBegins();
    this.#grantOwed();
    this.#allow(0);
    this.#watch();
  }

  carry(request: NestedRequest, listener: NestedListener): RunningNested {
    this.#nested ??= this.#options.owner.nestedCalls(this.identity);
    if (this.#isOver) this.#nested.end();
    return this.#nested.carry(request, listener);
  }

  /** Sent chunks that the client has not acknowledged; 0 without a window. */
  get unacknowledged(): number {
    return this.window === null ? 0 : this.#chunks - this.#acknowledged;
  }

  chunk(json: string): void {
    if (this.#isOver) return;
    const { owner, channel, clock } = this.#options;
    if (this.#chunks === 0) owner.onStreamBegins();
    this.#chunks++;
    this.#owed++;
    this.#activeAt = clock.now();
    const response = encodeChunk(owner.requestId, json);
    channel.push(this.window === null ? response : withSeq(response, this.#chunks));
    this.#grantOwed();
  }

  /**
   * The client has consumed its chunks up to this number: the producer may send as many more. An older number again
   * only shows that the client is alive.
   *
   * @returns false if the stream has no window, or has not sent that number
   */
  acknowledge(seq: number): boolean {
    if (this.window === null || seq > this.#chunks) return false;
    // While the producer has credit, its own time runs, whatever its client says.
    if (this.#isWindowFull) this.#activeAt = this.#options.clock.now();
    if (seq > this.#acknowledged) {
      const more = seq - this.#acknowledged;
      this.#acknowledged = seq;
      this.#allow(more);
    }
    return true;
  }

  /** Its last Response, with the number after that of its last chunk if it has a window. */
  numbered(response: string): string {
    return this.window === null ? response : withSeq(response, this.#chunks + 1);
  }

  /** Its client is gone, and may come back: until then nobody can acknowledge anything. */
  clientLeft(): void {
    this.#isDetached = true;
  }

  clientCame(): void {
    this.#isDetached = false;
    // As if it had just acknowledged something.
    if (this.#isWindowFull) this.#activeAt = this.#options.clock.now();
  }

  get #isWindowFull(): boolean {
    return this.window !== null && this.unacknowledged >= this.window;
  }

  #allow(chunks: number): void {
    this.#allowed += chunks;
    if (this.#running === null || this.#allowed === 0) return;
    const allowed = this.#allowed;
    this.#allowed = 0;
    this.#running.acknowledge(allowed);
  }

  ended(lastJson: string | null): void {
    if (this.#isOver) return;
    this.#options.owner.onStreamBegins();
    this.#end(encodeStreamEnd(this.#options.owner.requestId, lastJson ?? "null"), null, true);
  }

  /** @param begun false if the function was certainly not called */
  failed(failure: Failure, begun: boolean): void {
    if (this.#isOver) return;
    if (begun) this.#options.owner.onStreamBegins();
    // A stream that has sent a chunk has begun, whatever the executor says.
    this.#fail(failure, begun || this.#chunks > 0);
  }

  /** The client wants no more: an orderly end. */
  stop(): void {
    if (this.#isOver) return;
    this.#running?.cancel("cancelled");
    this.#end(encodeStreamEnd(this.#options.owner.requestId, "null"), null, true);
  }

  /** The rest is not wanted. */
  abort(reason: CancelReason, failure: Failure): void {
    if (this.#isOver) return;
    this.#running?.cancel(reason);
    this.#fail(failure, true);
  }

  #fail(failure: Failure, begun: boolean): void {
    this.#end(this.#options.encodeFailure(failure), failure, begun);
  }

  #end(response: string, failure: Failure | null, begun: boolean): void {
    this.#isOver = true;
    const { clock, owner } = this.#options;
    clock.clearTimeout(this.#timer);
    this.#nested?.end();
    if (streamStop.active) {
      const measurements = { duration_us: Math.round((clock.now() - this.#startedAt) * 1000), chunks: this.#chunks };
      streamStop.emit(measurements, { ...this.#identify(), error_code: failure?.code ?? null });
    }
    owner.onStreamEnded(response, failure, begun);
    if (this.#running !== null) this.#onOver();
  }

  /**
   * Gives credit for the chunks that the client's socket has taken; while the socket is full the producer gets none,
   * and stops.
   */
  #grantOwed(): void {
    if (this.#running === null || this.#owed === 0 || this.#isOver) return;
    const { channel } = this.#options;
    if (channel.isReady) {
      const granted = this.#owed;
      this.#owed = 0;
      this.#running.grant(granted);
    } else if (!this.#isStalled) {
      this.#isStalled = true;
      this.#activeAt = this.#options.clock.now();
      channel.whenReady(this.#resume);
    }
  }

  readonly #resume = (): void => {
    this.#isStalled = false;
    if (this.#isOver) return;
    this.#activeAt = this.#options.clock.now();
    this.#grantOwed();
  };

  /**
   * One timer per stream, reset only when it fires: a producer that has credit must send within the function's timeout,
   * a client whose socket or window is full must read, or acknowledge, within `stallTimeoutMs`.
   */
  #watch(): void {
    // A listener of its start may have ended it at once.
    if (this.#isOver) return;
    const { clock, target, stallTimeoutMs } = this.#options;
    const waitedMs = clock.now() - this.#activeAt;
    const waitsForClient = this.#isStalled || this.#isWindowFull;
    const limitOfClientMs = this.#isDetached ? null : stallTimeoutMs;
    const limitMs = waitsForClient ? limitOfClientMs : target.timeoutMs;
    if (limitMs !== null && waitedMs >= limitMs) {
      if (waitsForClient) this.abort("disconnected", cancelled);
      else this.abort("timeout", timedOut(limitMs));
      return;
    }
    // The stream may stall, or continue, before the timer fires: check again after the shorter of the two times.
    const soonestMs = Math.min(stallTimeoutMs, target.timeoutMs ?? stallTimeoutMs);
    const leftMs = limitMs === null ? soonestMs : Math.min(soonestMs, limitMs - waitedMs);
    this.#timer = clock.setTimeout(() => this.#watch(), Math.max(1, Math.ceil(leftMs)));
  }

  #identify() {
    const { gateway, owner } = this.#options;
    return {
      gateway,
      request_id: owner.requestId,
      service: this.service,
      request_type: this.requestType,
      version: this.version,
    };
  }
}
