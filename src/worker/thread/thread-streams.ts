import { builtIns } from "../../core/foreign/built-ins.ts";
import type { RequestIdentity } from "../../core/request-info.ts";
import type { ServiceFunction } from "../../execution/load-function.ts";
import { StreamProducer } from "../../execution/stream-producer.ts";
import { internalData } from "../../execution/thrown-data.ts";
import type { CancelReason } from "../../execution/worker-call.ts";
import type { ThreadMarks } from "./thread-marks.ts";
import type { ThreadNested } from "./thread-nested.ts";
import type { ThreadOutbox } from "./thread-outbox.ts";
import { answer } from "./thread-protocol.ts";

/** The most bytes of a chunk, and the window if the stream has one. */
export type StreamLimits = number | readonly [maxBytes: number, window: number];

/** The streams that a thread produces. */
export class ThreadStreams {
  readonly #outbox: ThreadOutbox;
  readonly #marks: ThreadMarks;
  readonly #nested: ThreadNested;
  readonly #producers = new Map<number, StreamProducer>();

  constructor(outbox: ThreadOutbox, marks: ThreadMarks, nested: ThreadNested) {
    this.#outbox = outbox;
    this.#marks = marks;
    this.#nested = nested;
  }

  /** Calls a function that answers with a stream. */
  start(
    slot: number,
    run: ServiceFunction,
    limits: StreamLimits,
    identity: RequestIdentity | null,
    args: readonly unknown[],
  ): void {
    if (!this.#marks.begin(slot)) {
      this.#outbox.put(answer.withdrawn, slot, null);
      this.#outbox.flushLater();
      return;
    }
    const say = (kind: number, value: unknown): void => {
      // A stopped stream sends nothing more: its slot may have another call by now.
      if (kind !== answer.stray && this.#producers.get(slot) !== producer) return;
      if (kind === answer.result || kind === answer.failure) this.#producers.delete(slot);
      this.#outbox.put(kind, slot, value);
      this.#outbox.flushLater();
    };
    const isWindowed = typeof limits !== "number";
    const producer: StreamProducer = new StreamProducer(
      {
        chunk: (json) => {
          this.#marks.progress();
          say(answer.chunk, json);
        },
        ended: (lastJson) => say(answer.result, lastJson),
        failed: (data) => say(answer.failure, data),
        stray: (thrown) => say(answer.stray, internalData(thrown)),
      },
      isWindowed ? limits[0] : limits,
      isWindowed ? limits[1] : null,
    );
    this.#producers.set(slot, producer);
    producer.start(run, args, identity, this.#nested.carrierOf(slot));
  }

  grant(slot: number, chunks: number): void {
    this.#producers.get(slot)?.grant(chunks);
  }

  acknowledge(slot: number, chunks: number): void {
    this.#producers.get(slot)?.acknowledge(chunks);
  }

  /**
   * The rest is not wanted: the source is asked to end, and the slot is free at once. A generator that waits forever
   * cannot end, and must not hold its place forever.
   */
  stop(slot: number, reason: CancelReason): void {
    const producer = this.#producers.get(slot);
    if (producer === undefined) return;
    this.#producers.delete(slot);
    producer.stop(reason);
    this.#outbox.put(answer.result, slot, null);
    this.#outbox.flushLater();
  }

  stopAll(reason: CancelReason): void {
    builtIns.apply(builtIns.forEachOfMap, this.#producers, [(producer: StreamProducer) => producer.stop(reason)]);
  }
}
