import { toError } from "../../core/errors.ts";
import { type Backoff, backoffMs } from "../../core/time/backoff.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { BucketReader } from "./bucket-reader.ts";
import type { BucketWriter } from "./bucket-writer.ts";
import type { EntryStore } from "./entry-store.ts";

/** The options of a {@link BucketSession}. */
export interface BucketSessionOptions {
  readonly open: () => Promise<EntryStore>;
  readonly writer: BucketWriter;
  readonly reader: BucketReader;
  readonly clock: Clock;
  readonly random: () => number;
  troubled(error: Error): void;
}

const backoff: Backoff = { firstMs: 200, maxMs: 10_000 };

/** The work on a bucket during one connection: opens it, then writes and watches, again after every failure. */
export class BucketSession {
  readonly #options: BucketSessionOptions;
  readonly #waiting = new Set<() => void>();
  #opening: Promise<EntryStore> | null = null;
  #wakes = 0;
  #isEnded = false;

  constructor(options: BucketSessionOptions) {
    this.#options = options;
    this.#work();
  }

  /** There may be something to write or to report. */
  wake(): void {
    this.#wakes += 1;
    for (const resume of [...this.#waiting]) resume();
  }

  end(): void {
    this.#isEnded = true;
    this.#options.reader.stop();
    this.wake();
  }

  #work(): void {
    const { writer, reader } = this.#options;
    const isEnded = () => this.#isEnded;
    this.#untilEnd(
      async () => writer.writeNext(await this.#store()),
      () => undefined,
    );
    this.#untilEnd(
      async () => reader.follow(await this.#store(), isEnded),
      (error) => reader.failed(error),
    );
  }

  #store(): Promise<EntryStore> {
    this.#opening ??= this.#options.open();
    return this.#opening;
  }

  /** Takes one step after the other: after a failure with backoff, after "idle" when there may be something to do. */
  async #untilEnd(step: () => Promise<"again" | "idle">, failed: (error: Error) => void): Promise<void> {
    const { writer, troubled, random } = this.#options;
    let failures = 0;
    while (!this.#isEnded) {
      try {
        const wakes = this.#wakes;
        const next = await step();
        failures = 0;
        // Work that came during its search may have been missed.
        if (next === "idle" && wakes === this.#wakes && !this.#isEnded) await this.#pause();
      } catch (thrown) {
        const error = toError(thrown);
        // Work that fails because the connection is lost is retried on the next one.
        if (this.#isEnded) return;
        writer.failed();
        failed(error);
        troubled(error);
        // The bucket itself may be gone; opening it creates it again.
        this.#opening = null;
        failures += 1;
        await this.#pause(backoffMs(backoff, Math.min(failures, 30), random()));
      }
    }
  }

  /** Resolves after `ms` milliseconds; without them, at the next {@link wake}; in both cases at the end. */
  #pause(ms?: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      let timer: unknown;
      const resume = () => {
        if (ms !== undefined && !this.#isEnded && timer !== undefined) return;
        this.#waiting.delete(resume);
        clock.clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(resume);
      if (ms === undefined) return;
      timer = clock.setTimeout(() => {
        timer = undefined;
        resume();
      }, ms);
    });
  }
}
