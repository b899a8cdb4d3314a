import type { Clock } from "../core/clock.ts";
import type { RequestIdentity, TraceContext } from "../core/request-info.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { CancelReason, RunningStream } from "../worker/worker-call.ts";
import type { FunctionName } from "./attempt.ts";
import type { ReplyTo } from "./caller.ts";
import type { Target } from "./compile-function.ts";
import { cancelled, type Failure, internal, refusal } from "./failure.ts";
import { encodeChunk, encodeStreamEnd } from "./response.ts";

const streamStart = telemetryEvent("stream.start");
const streamStop = telemetryEvent("stream.stop");

/** Where streams are produced: the stream pool, the gateway's own thread, a service node. */
export interface StreamExecutor {
  /** Ends by `stream.ended` or `stream.failed`, perhaps before it returns. */
  stream(stream: StreamCall): RunningStream;
}

/** Who asked for a stream. */
export interface StreamOwner {
  /** Before the first chunk, or when nothing was sent yet: the client must hear that the stream begins. */
  streamBegins(): void;
  /**
   * Its one end.
   *
   * @param response the Response that says so
   * @param failure null for an orderly end
   * @param begun false when the function was certainly not called
   */
  streamEnded(response: string, failure: Failure | null, begun: boolean): void;
}

/** What a stream is made of. */
export interface StreamCallOptions {
  readonly gateway: string;
  readonly requestId: string;
  readonly name: FunctionName;
  readonly target: Target;
  readonly args: readonly unknown[];
  readonly identity: RequestIdentity | null;
  readonly trace: TraceContext | null;
  readonly maxResultBytes: number;
  /** How long a client that reads nothing keeps its stream, milliseconds. */
  readonly stallTimeoutMs: number;
  readonly clock: Clock;
  readonly executor: StreamExecutor;
  readonly replyTo: ReplyTo;
  readonly owner: StreamOwner;
  encodeFailure(failure: Failure): string;
}

/**
 * A stream on its way to a client: passes chunks on, gives the producer credit for as many as the client's socket
 * takes, and ends it exactly once. Its actor starts it, and ends it when the actor is killed.
 */
export class StreamCall {
  readonly service: string;
  readonly requestType: string;
  readonly version: string | null;
  readonly module: string;
  readonly function: string;
  readonly target: Target;
  readonly args: readonly unknown[];
  readonly identity: RequestIdentity | null;
  /** Continued by the service node that runs it. */
  readonly trace: TraceContext | null;
  readonly maxResultBytes: number;
  readonly #options: StreamCallOptions;
  #running: RunningStream | null = null;
  #onOver: () => void = () => undefined;
  #isOver = false;
  #startedAt = 0;
  #chunks = 0;
  /** Chunks that were sent and not granted yet, because the socket is full or the producer not started. */
  #owed = 0;
  #isStalled = false;
  #timer: unknown = null;
  /** When the producer last gave a sign of life, or got credit again. */
  #activeAt = 0;

  constructor(options: StreamCallOptions) {
    const { name, target, args, identity, trace, maxResultBytes } = options;
    this.service = name.service;
    this.requestType = name.requestType;
    this.version = name.version;
    this.module = target.module;
    this.function = target.function;
    this.target = target;
    this.args = args;
    this.identity = identity;
    this.trace = trace;
    this.maxResultBytes = maxResultBytes;
    this.#options = options;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** @param onOver called once when it has ended */
  start(onOver: () => void): void {
    const { clock, executor, owner } = this.#options;
    // Ended before its actor came to start it.
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
      // It may have begun all the same.
      this.failed(internal(thrown), true);
    }
    if (this.#isOver) {
      onOver();
      return;
    }
    owner.streamBegins();
    this.#grantOwed();
    this.#watch();
  }

  chunk(json: string): void {
    if (this.#isOver) return;
    const { owner, replyTo, requestId, clock } = this.#options;
    if (this.#chunks === 0) owner.streamBegins();
    this.#chunks++;
    this.#owed++;
    this.#activeAt = clock.now();
    replyTo.push(encodeChunk(requestId, json));
    this.#grantOwed();
  }

  ended(lastJson: string | null): void {
    if (this.#isOver) return;
    this.#options.owner.streamBegins();
    this.#end(encodeStreamEnd(this.#options.requestId, lastJson ?? "null"), null, true);
  }

  /** @param begun false when the function was certainly not called */
  failed(failure: Failure, begun: boolean): void {
    if (this.#isOver) return;
    if (begun) this.#options.owner.streamBegins();
    // What has sent a chunk has begun, whoever says otherwise.
    this.#fail(failure, begun || this.#chunks > 0);
  }

  /** The client wants no more: an orderly end. */
  stop(): void {
    if (this.#isOver) return;
    this.#running?.cancel("cancelled");
    this.#end(encodeStreamEnd(this.#options.requestId, "null"), null, true);
  }

  /** Nobody wants the rest. */
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
    if (streamStop.active) {
      const measurements = { duration_us: Math.round((clock.now() - this.#startedAt) * 1000), chunks: this.#chunks };
      streamStop.emit(measurements, { ...this.#identify(), error_code: failure?.code ?? null });
    }
    owner.streamEnded(response, failure, begun);
    if (this.#running !== null) this.#onOver();
  }

  /** Credit for what the client's socket has taken; while it is full the producer gets none, and stops. */
  #grantOwed(): void {
    if (this.#running === null || this.#owed === 0) return;
    const { replyTo } = this.#options;
    if (replyTo.isReady) {
      const granted = this.#owed;
      this.#owed = 0;
      this.#running.grant(granted);
    } else if (!this.#isStalled) {
      this.#isStalled = true;
      this.#activeAt = this.#options.clock.now();
      replyTo.whenReady(this.#resume);
    }
  }

  readonly #resume = (): void => {
    this.#isStalled = false;
    if (this.#isOver) return;
    this.#activeAt = this.#options.clock.now();
    this.#grantOwed();
  };

  /**
   * One timer per stream, set again only when it runs: a producer that has credit must send within the function's
   * timeout, a client whose socket is full must read within `stallTimeoutMs`.
   */
  #watch(): void {
    const { clock, target, stallTimeoutMs } = this.#options;
    const waitedMs = clock.now() - this.#activeAt;
    const limitMs = this.#isStalled ? stallTimeoutMs : target.timeoutMs;
    if (limitMs !== null && waitedMs >= limitMs) {
      if (this.#isStalled) this.abort("disconnected", cancelled);
      else this.abort("timeout", refusal("timeout", `Request timed out after ${limitMs} ms`, true));
      return;
    }
    // The stream may stall, or go on, before the timer runs: it looks again after the shorter of the two times.
    const soonestMs = Math.min(stallTimeoutMs, target.timeoutMs ?? stallTimeoutMs);
    const leftMs = limitMs === null ? soonestMs : Math.min(soonestMs, limitMs - waitedMs);
    this.#timer = clock.setTimeout(() => this.#watch(), Math.max(1, Math.ceil(leftMs)));
  }

  #identify() {
    const { gateway, requestId } = this.#options;
    return {
      gateway,
      request_id: requestId,
      service: this.service,
      request_type: this.requestType,
      version: this.version,
    };
  }
}
