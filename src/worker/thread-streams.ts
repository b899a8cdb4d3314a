import type { ServiceFunction } from "../core/load-function.ts";
import type { RequestIdentity } from "../core/request-info.ts";
import { StreamProducer } from "./stream-producer.ts";
import type { ThreadMarks } from "./thread-marks.ts";
import type { ThreadOutbox } from "./thread-outbox.ts";
import { answer } from "./thread-protocol.ts";
import { internalData } from "./thrown-data.ts";
import type { CancelReason } from "./worker-call.ts";

/** The streams that a thread produces. */
export class ThreadStreams {
  readonly #outbox: ThreadOutbox;
  readonly #marks: ThreadMarks;
  readonly #producers = new Map<number, StreamProducer>();

  constructor(outbox: ThreadOutbox, marks: ThreadMarks) {
    this.#outbox = outbox;
    this.#marks = marks;
  }

  /** Calls a function that answers with a stream. */
  start(
    slot: number,
    run: ServiceFunction,
    maxBytes: number,
    identity: RequestIdentity | null,
    args: readonly unknown[],
  ): void {
    const say = (kind: number, value: unknown): void => {
      // Of a stream that was stopped nothing is said any more: its slot may be another's by now.
      if (kind !== answer.stray && this.#producers.get(slot) !== producer) return;
      if (kind === answer.result || kind === answer.failure) this.#producers.delete(slot);
      this.#outbox.put(kind, slot, value);
      this.#outbox.flushLater();
    };
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
      maxBytes,
    );
    this.#producers.set(slot, producer);
    this.#marks.begin(slot);
    producer.start(run, args, identity);
  }

  grant(slot: number, chunks: number): void {
    this.#producers.get(slot)?.grant(chunks);
  }

  /**
   * Nobody wants the rest: the source is told to end, and the slot is free at once. A generator that waits for
   * something which never comes cannot end, and must not hold its place for ever.
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
    for (const producer of this.#producers.values()) producer.stop(reason);
  }
}
