import { describe } from "../core/errors.ts";
import { builtIns } from "../core/foreign/built-ins.ts";
import { callWith } from "../core/foreign/call-with.ts";
import { hearPromises } from "../core/foreign/hear-promises.ts";
import { ownContext } from "../core/foreign/own-context.ts";
import { isThenable, settle } from "../core/foreign/thenable.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import type { LoopWatch } from "../telemetry/main-loop.ts";
import type { CallCarrier } from "./call-carrier.ts";
import { encodeResult } from "./encode-result.ts";
import { LiveRequestInfo } from "./live-request-info.ts";
import type { ServiceFunction } from "./load-function.ts";
import { ProducerCredit } from "./stream-credit.ts";
import { type StreamSource, streamSource } from "./stream-source.ts";
import { type StreamOutput, StreamWriter } from "./stream-writer.ts";
import { internalData, type ThrownData, thrownData } from "./thrown-data.ts";

/** Receives a stream's chunks and its end. */
export interface StreamSink {
  chunk(json: string): void;
  /** The stream is over; nothing follows. Also called after {@link StreamProducer.stop}, when its source has ended. */
  ended(lastJson: string | null): void;
  /** The stream failed; nothing follows. */
  failed(data: ThrownData): void;
  /** The function threw after its stream was over. */
  stray(thrown: unknown): void;
  /** Watches every run of the function and its source; only on a main thread. */
  readonly loop?: LoopWatch;
}

// A source that never waits must let the thread's other calls run.
const sliceMs = 0.5;

/**
 * Runs a function that answers with a stream, as fast as its consumer grants credit: a generator, a function that
 * returns an AsyncIterable or a Readable, or one that uses `stream` of its RequestInfo. It knows nothing of threads.
 */
export class StreamProducer implements StreamOutput {
  readonly #sink: StreamSink;
  readonly #maxChunkBytes: number;
  /** The context in which the function and its source run, piece by piece. */
  readonly #context = ownContext();
  readonly #credit: ProducerCredit;
  #state: "open" | "stopping" | "over" = "open";
  #info: LiveRequestInfo | null = null;
  #writer: StreamWriter | null = null;
  #source: StreamSource | null = null;
  /** The error that its source threw. */
  #thrown: unknown;
  /** Whether the function's own promise is pending. */
  #starting = true;
  /** Whether the source's next chunk, or the next slice of time, is pending. */
  #waiting = false;

  /**
   * @param maxChunkBytes the most UTF-8 bytes of a chunk's JSON
   * @param window the most unacknowledged chunks; null: any number
   */
  constructor(sink: StreamSink, maxChunkBytes: number, window: number | null = null) {
    this.#sink = sink;
    this.#maxChunkBytes = maxChunkBytes;
    this.#credit = new ProducerCredit(window);
  }

  get hasCredit(): boolean {
    return this.#credit.available;
  }

  get isOver(): boolean {
    return this.#state !== "open";
  }

  /**
   * Calls the function.
   * @param carrier takes the calls that it makes itself
   */
  start(
    run: ServiceFunction,
    args: readonly unknown[],
    identity: RequestIdentity | null,
    carrier: Partial<CallCarrier>,
  ): void {
    this.#context.runInAsyncScope(this.#start, this, run, args, identity, carrier);
  }

  #start(
    run: ServiceFunction,
    args: readonly unknown[],
    identity: RequestIdentity | null,
    carrier: Partial<CallCarrier>,
  ): void {
    try {
      const returned = watched(this.#sink.loop, () =>
        callWith(run, args, identity === null ? null : this.#requestInfo(identity, carrier)),
      );
      if (!isThenable(returned)) {
        this.#returned(returned);
        return;
      }
      settle(
        returned,
        (value) => this.#returned(value),
        (thrown) => this.#threw(thrown),
      );
    } catch (thrown) {
      this.#threw(thrown);
    }
  }

  /** The consumer has taken `chunks` chunks. */
  grant(chunks: number): void {
    this.#credit.refund(chunks);
    this.#continue();
  }

  /** The client has acknowledged `chunks` more chunks. */
  acknowledge(chunks: number): void {
    this.#credit.allow(chunks);
    this.#continue();
  }

  #continue(): void {
    if (this.#writer !== null) StreamWriter.resume(this.#writer);
    if (!this.#waiting && this.#source !== null) this.#context.runInAsyncScope(this.#pump, this);
  }

  /** The rest is not wanted: the signal aborts, the source ends, and once nothing runs any more `ended` is called. */
  stop(reason: string): void {
    this.#context.runInAsyncScope(this.#stop, this, reason);
  }

  #stop(reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "stopping";
    if (this.#info !== null) LiveRequestInfo.abort(this.#info, reason);
    if (this.#writer !== null) StreamWriter.resume(this.#writer);
    if (this.#source !== null) this.#discard(this.#source);
    else if (!this.#starting) this.end(null);
  }

  encode(value: unknown): string {
    return encodeResult(value, this.#maxChunkBytes);
  }

  send(json: string): void {
    this.#credit.spend(json.length);
    this.#sink.chunk(json);
  }

  end(lastJson: string | null): void {
    if (this.#state === "over") return;
    this.#state = "over";
    if (this.#info !== null) LiveRequestInfo.end(this.#info);
    this.#sink.ended(lastJson);
    if (this.#writer !== null) StreamWriter.resume(this.#writer);
    // The function may have ended the stream itself while its generator goes on.
    if (this.#source !== null) this.#discard(this.#source);
  }

  fail(thrown: unknown): void {
    this.#fail(thrownData(thrown));
  }

  failInternally(thrown: unknown): void {
    this.#fail(internalData(thrown));
  }

  #fail(data: ThrownData): void {
    if (this.#state !== "open") return;
    this.#state = "over";
    if (this.#info !== null) LiveRequestInfo.end(this.#info);
    this.#sink.failed(data);
    if (this.#writer !== null) StreamWriter.resume(this.#writer);
    if (this.#source !== null) this.#discard(this.#source);
  }

  #requestInfo(identity: RequestIdentity, carrier: Partial<CallCarrier>): LiveRequestInfo {
    const info = new LiveRequestInfo(identity, carrier);
    this.#info = info;
    const getWriter = (): StreamWriter => {
      this.#writer ??= new StreamWriter(this);
      return this.#writer;
    };
    return Object.defineProperty(info, "stream", { enumerable: true, get: getWriter });
  }

  #returned(value: unknown): void {
    this.#starting = false;
    let source: StreamSource | null;
    try {
      source = streamSource(value, (thrown) => this.#sink.stray(thrown));
    } catch (thrown) {
      this.#threw(thrown);
      return;
    }
    if (source === null) this.#returnedNoSource(value);
    else if (this.#state !== "open") this.#discard(source);
    else {
      this.#source = source;
      this.#pump();
    }
  }

  #returnedNoSource(value: unknown): void {
    hearPromises(value);
    if (this.#state === "stopping") this.end(null);
    // A function that has its RequestInfo and returns nothing may write later.
    else if (this.#writer === null && (this.#info === null || value !== undefined)) {
      this.failInternally(
        new Error("A stream's function must be a generator, return an AsyncIterable or use its RequestInfo's stream"),
      );
    }
  }

  #threw(thrown: unknown): void {
    hearPromises(thrown);
    this.#starting = false;
    // Errors during or because of a stop concern no one.
    if (this.#state === "stopping") this.end(null);
    else if (this.#state === "over") this.#sink.stray(thrown);
    else this.fail(thrown);
  }

  #pump(): void {
    const source = this.#source;
    if (source === null) return;
    const until = builtIns.now() + sliceMs;
    try {
      while (this.#state === "open" && this.#credit.available) {
        const next = nextOf(source, this.#sink.loop);
        if (isThenable(next)) {
          this.#waiting = true;
          settle(next, this.#came, this.#cameNot);
          return;
        }
        this.#take(next);
        if (builtIns.now() > until) {
          this.#waiting = true;
          builtIns.setImmediate(this.#resume);
          return;
        }
      }
    } catch (thrown) {
      this.#sourceThrew(thrown);
    }
  }

  // Created once per stream, not once per chunk.
  readonly #resume = (): void => {
    this.#waiting = false;
    this.#pump();
  };

  readonly #came = (next: unknown): void => {
    this.#waiting = false;
    this.#take(next);
    this.#pump();
  };

  readonly #cameNot = (thrown: unknown): void => {
    this.#waiting = false;
    this.#sourceThrew(thrown);
  };

  #take(next: unknown): void {
    // The chunk came after the stop; the code that stopped the source waits for its end.
    if (this.#state !== "open") {
      hearPromises(next);
      return;
    }
    let json: string | null = null;
    try {
      // Either of the two may be a user's getter.
      if (!iteratorResult(next).done) {
        const { value } = iteratorResult(next);
        // It may not be an iterator's result at all.
        if (value === undefined) hearPromises(next);
        json = this.encode(value);
      }
    } catch (thrown) {
      hearPromises(next);
      this.failInternally(thrown);
      return;
    }
    if (json !== null) {
      this.send(json);
      return;
    }
    // A generator's return value is not a chunk.
    hearPromises(next);
    this.#source = null;
    if (this.#writer === null) this.end(null);
    else this.#writer.sendComplete();
  }

  #sourceThrew(thrown: unknown): void {
    hearPromises(thrown);
    // Stopping makes a source throw; #discard waits for its end.
    if (this.#state === "stopping") return;
    this.#thrown = thrown;
    this.#threw(thrown);
  }

  #discard(source: StreamSource): void {
    this.#source = null;
    const stopped = (last: unknown): void => {
      hearPromises(last);
      if (this.#state === "stopping") this.end(null);
    };
    const failed = (thrown: unknown): void => {
      hearPromises(thrown);
      // A failed web stream fails with the same error again when it is cancelled.
      if (thrown !== this.#thrown) this.#sink.stray(thrown);
      stopped(undefined);
    };
    try {
      settle(source.stop(), stopped, failed);
    } catch (thrown) {
      failed(thrown);
    }
  }
}

/** @throws TypeError where `for await` would */
function iteratorResult(value: unknown): IteratorResult<unknown> {
  if ((typeof value === "object" && value !== null) || typeof value === "function")
    return value as IteratorResult<unknown>;
  throw new TypeError(`An iterator's next must return an object with done and value, got ${describe(value)}`);
}

function nextOf(source: StreamSource, loop: LoopWatch | undefined): unknown {
  // Avoids a closure for each chunk on a thread.
  return loop === undefined ? source.next() : watched(loop, () => source.next());
}

function watched<Result>(loop: LoopWatch | undefined, run: () => Result): Result {
  if (loop === undefined) return run();
  const since = loop.taken();
  try {
    return run();
  } finally {
    loop.released(since);
  }
}
