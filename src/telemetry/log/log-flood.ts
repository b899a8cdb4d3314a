import type { Clock } from "../../core/time/clock.ts";

const periodMs = 1_000;
const maxOfKind = 10;
const maxInAll = 100;

/** Reports lines that were left out: their message and number. */
export type TellLeftOut = (message: string, count: number) => void;

/**
 * Bounds a log that people read: at most 10 lines of one kind and 100 in all per second. Events that clients can
 * trigger at will must neither fill a disk nor hide everything else.
 */
export class LogFlood {
  readonly #clock: Clock;
  readonly #tellLeftOut: TellLeftOut;
  /** Lines of this period, by kind. */
  readonly #kinds = new Map<string, number>();
  /** Lines left out in this period, by message. */
  readonly #leftOut = new Map<string, number>();
  #count = 0;
  #beganAt = Number.NEGATIVE_INFINITY;

  /** @param tellLeftOut called once for each message with lines left out, when their second is over */
  constructor(clock: Clock, tellLeftOut: TellLeftOut) {
    this.#clock = clock;
    this.#tellLeftOut = tellLeftOut;
  }

  /** Whether a line may be written now; if not, it is counted. */
  take(message: string, place: string): boolean {
    const now = this.#clock.now();
    if (now - this.#beganAt >= periodMs) {
      this.tell();
      this.#beganAt = now;
    }
    const kind = `${message} ${place}`;
    const ofKind = this.#kinds.get(kind) ?? 0;
    if (ofKind < maxOfKind && this.#count < maxInAll) {
      this.#kinds.set(kind, ofKind + 1);
      this.#count++;
      return true;
    }
    if (this.#leftOut.size === 0) this.#clock.setTimeout(this.tell, this.#beganAt + periodMs - now);
    this.#leftOut.set(message, (this.#leftOut.get(message) ?? 0) + 1);
    return false;
  }

  /** Reports the lines left out, and begins a new period. */
  readonly tell = (): void => {
    const leftOut = [...this.#leftOut];
    this.#leftOut.clear();
    this.#kinds.clear();
    this.#count = 0;
    this.#beganAt = Number.NEGATIVE_INFINITY;
    for (const [message, count] of leftOut) this.#tellLeftOut(message, count);
  };
}
