import type { Clock } from "../../core/time/clock.ts";

/** The options and callbacks of a {@link Pulse}. */
export interface PulseOptions {
  readonly clock: Clock;
  /** Resolves when the server has answered; rejects when the connection ends. */
  ping(): Promise<void>;
  /** The server stopped answering, or answers again. */
  changed(answers: boolean): void;
}

const everyMs = 1_000;

// Sessions with nodes end after three seconds of silence: by then the server's own silence is known.
const silentMs = 2_000;

// An answer within this time shows that the server works now.
const promptMs = 1_000;

/**
 * Whether the server answers during one connection. A hanging server keeps its connections, and the client would notice
 * only after its nodes seem to be lost.
 */
export class Pulse {
  readonly #options: PulseOptions;
  #timer: unknown;
  /** Since when an answer has been pending, by the clock's `now`. */
  #waitsSince: number | null = null;
  #answers = true;
  #isClosed = false;

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#beat();
  }

  /** Resolves with whether the server answers right now. */
  async answersNow(): Promise<boolean> {
    const { clock, ping } = this.#options;
    const startedAt = clock.now();
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimeout(resolve, promptMs);
    });
    try {
      await Promise.race([ping(), late]);
    } catch {
      // The connection has ended, which answers the question.
      return false;
    } finally {
      clock.clearTimeout(timer);
    }
    return this.#answers && !this.#isClosed && clock.now() - startedAt < promptMs;
  }

  close(): void {
    this.#isClosed = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #beat(): void {
    const { clock, ping } = this.#options;
    this.#timer = clock.setTimeout(() => this.#beat(), everyMs);
    if (this.#waitsSince === null) {
      this.#waitsSince = clock.now();
      // The connection has ended, and with it this pulse.
      ping().then(
        () => this.#answered(),
        () => this.close(),
      );
    } else if (clock.now() - this.#waitsSince >= silentMs) {
      this.#change(false);
    }
  }

  #answered(): void {
    this.#waitsSince = null;
    this.#change(true);
  }

  #change(answers: boolean): void {
    if (answers === this.#answers || this.#isClosed) return;
    this.#answers = answers;
    this.#options.changed(answers);
  }
}
