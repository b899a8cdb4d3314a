import { encodeResult } from "../core/encode-result.ts";
import { LiveRequestInfo } from "../core/live-request-info.ts";
import type { ServiceFunction } from "../core/load-function.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import { isThenable } from "../core/within.ts";
import type { LoopWatch } from "../telemetry/main-loop.ts";
import { ProducerCredit } from "./stream-credit.ts";
import { type StreamSource, stopSource, streamSource } from "./stream-source.ts";
import { type StreamOutput, StreamWriter } from "./stream-writer.ts";
import { internalData, type ThrownData, thrownData } from "./thrown-data.ts";

/** Where a stream's chunks go. */
export interface StreamSink {
  chunk(json: string): void;
  /** The stream is over, the last to be heard of it. Also after {@link StreamProducer.stop}, when its source has ended. */
  ended(lastJson: string | null): void;
  /** As `ended`. */
  failed(data: ThrownData): void;
  /** The function threw after its stream was over. */
  stray(thrown: unknown): void;
  /** Hears of every run of the function and its source; only on a main thread. */
  readonly loop?: LoopWatch;
}

// A source that never waits must let its thread's other calls run.
const sliceMs = 0.5;

/**
 * Runs a function that answers with a stream, as fast as its consumer grants credit: a generator, a function that
 * returns an AsyncIterable or a Readable, or one that uses its RequestInfo's `stream`. It knows nothing of threads.
 */
export class StreamProducer implements StreamOutput {
  readonly #sink: StreamSink;
  readonly #maxChunkBytes: number;
  readonly #credit = new ProducerCredit();
  #state: "open" | "stopping" | "over" = "open";
  #info: LiveRequestInfo | null = null;
  #writer: StreamWriter | null = null;
  #source: StreamSource | null = null;
  /** Whether the function's own promise is still to come. */
  #starting = true;
  /** Whether the source's next chunk, or the next slice of time, is waited for. */
  #waiting = false;

  /** @param maxChunkBytes the most UTF-8 bytes of a chunk's JSON */
  constructor(sink: StreamSink, maxChunkBytes: number) {
    this.#sink = sink;
    this.#maxChunkBytes = maxChunkBytes;
  }

  get hasCredit(): boolean {
    return this.#credit.available;
  }

  get isOver(): boolean {
    return this.#state !== "open";
  }

  /** Calls the function. */
  start(run: ServiceFunction, args: readonly unknown[], identity: RequestIdentity | null): void {
    try {
      const returned = watched(this.#sink.loop, () =>
        identity === null ? run(...args) : run(...args, this.#requestInfo(identity)),
      );
      if (!isThenable(returned)) {
        this.#returned(returned);
        return;
      }
      Promise.resolve(returned).then(
        (value) => this.#returned(value),
        (thrown) => this.#threw(thrown),
      );
    } catch (thrown) {
      this.#threw(thrown);
    }
  }

  /** The consumer has taken so many chunks. */
  grant(chunks: number): void {
    this.#credit.refund(chunks);
    if (this.#writer !== null) StreamWriter.resume(this.#writer);
    if (!this.#waiting) this.#pump();
  }

  /** Nobody wants the rest: the signal aborts, the source ends, and when nothing runs any more the sink hears `ended`. */
  stop(reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "stopping";
    if (this.#info !== null) LiveRequestInfo.abort(this.#info, reason);
    if (this.#writer !== null) StreamWriter.resume(this.#writer);
    if (this.#source !== null) void this.#discard(this.#source);
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
    this.#sink.ended(lastJson);
    if (this.#writer !== null) StreamWriter.resume(this.#writer);
    // The function may have ended the stream itself while its generator goes on.
    if (this.#source !== null) void this.#discard(this.#source);
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
    this.#sink.failed(data);
    if (this.#writer !== null) StreamWriter.resume(this.#writer);
    if (this.#source !== null) void this.#discard(this.#source);
  }

  #requestInfo(identity: RequestIdentity): LiveRequestInfo {
    const info = new LiveRequestInfo(identity);
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
      source = streamSource(value);
    } catch (thrown) {
      this.#threw(thrown);
      return;
    }
    if (source === null) this.#returnedNoSource(value);
    else if (this.#state !== "open") void this.#discard(source);
    else {
      this.#source = source;
      this.#pump();
    }
  }

  #returnedNoSource(value: unknown): void {
    if (this.#state === "stopping") this.end(null);
    // One that has its RequestInfo and returns nothing may write later.
    else if (this.#writer === null && (this.#info === null || value !== undefined)) {
      this.failInternally(
        new Error("A stream's function must be a generator, return an AsyncIterable or use its RequestInfo's stream"),
      );
    }
  }

  #threw(thrown: unknown): void {
    this.#starting = false;
    // What the function was told to stop with, or for, is nobody's business any more.
    if (this.#state === "stopping") this.end(null);
    else if (this.#state === "over") this.#sink.stray(thrown);
    else this.fail(thrown);
  }

  #pump(): void {
    const source = this.#source;
    if (source === null) return;
    const until = performance.now() + sliceMs;
    try {
      while (this.#state === "open" && this.#credit.available) {
        const next = nextOf(source, this.#sink.loop);
        if (isThenable(next)) {
          this.#waiting = true;
          Promise.resolve(next).then(this.#came, this.#cameNot);
          return;
        }
        this.#take(next as IteratorResult<unknown>);
        if (performance.now() > until) {
          this.#waiting = true;
          setImmediate(this.#resume);
          return;
        }
      }
    } catch (thrown) {
      this.#sourceThrew(thrown);
    }
  }

  // Made once per stream, not once per chunk.
  readonly #resume = (): void => {
    this.#waiting = false;
    this.#pump();
  };

  readonly #came = (next: IteratorResult<unknown>): void => {
    this.#waiting = false;
    try {
      this.#take(next);
    } catch (thrown) {
      this.#sourceThrew(thrown);
      return;
    }
    this.#pump();
  };

  readonly #cameNot = (thrown: unknown): void => {
    this.#waiting = false;
    this.#sourceThrew(thrown);
  };

  #take(next: IteratorResult<unknown>): void {
    // A chunk that came after the stop; who stopped the source waits for its end.
    if (this.#state !== "open") return;
    if (next.done === true) {
      this.#source = null;
      if (this.#writer === null) this.end(null);
      else this.#writer.sendComplete();
      return;
    }
    let json: string;
    try {
      json = this.encode(next.value);
    } catch (thrown) {
      this.failInternally(thrown);
      return;
    }
    this.send(json);
  }

  #sourceThrew(thrown: unknown): void {
    // Stopping makes a source throw; its end is waited for in #discard.
    if (this.#state === "stopping") return;
    this.#threw(thrown);
  }

  async #discard(source: StreamSource): Promise<void> {
    this.#source = null;
    const error = await stopSource(source);
    if (error !== null) this.#sink.stray(error);
    if (this.#state === "stopping") this.end(null);
  }
}

function nextOf(source: StreamSource, loop: LoopWatch | undefined): ReturnType<StreamSource["next"]> {
  // No closure for each chunk of a thread.
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
