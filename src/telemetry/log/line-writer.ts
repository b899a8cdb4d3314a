import type { Clock } from "../../core/time/clock.ts";
import { telemetryEvent } from "../telemetry.ts";

/** The parts of a file descriptor: `fs.write` and `fs.writeSync`. */
export interface LineOutput {
  write(bytes: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): void;
  writeSync(bytes: Buffer): number;
}

// In characters.
const maxWaiting = 1_048_576;
// A full pipe is soon read; a full disk, or a reader that is gone, needs human attention.
const fullPipeMs = 5;
const brokenMs = 1_000;
// Together one second.
const flushAttempts = 200;

const lost = telemetryEvent("log.lost");

/**
 * Writes lines in the background, all that have accumulated at once. Problems of the output (a full disk, a slow or
 * missing reader, a closed terminal) neither block nor fail the caller: up to a megabyte of lines waits for it to work
 * again, further ones are lost, and a line reports the loss.
 */
export class LineWriter {
  readonly #output: LineOutput;
  readonly #clock: Clock;
  /** The bytes being written or to be retried. */
  #current: Buffer = Buffer.alloc(0);
  #waiting = "";
  #isInFlight = false;
  #isHeldBack = false;
  #isEnding = false;
  #attemptsLeft = flushAttempts;
  #lost = 0;
  #error: Error | null = null;

  constructor(output: LineOutput, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
  }

  /** @param line including its end */
  write(line: string): void {
    if (this.#waiting.length + line.length > maxWaiting) {
      this.#lost++;
      return;
    }
    this.#waiting += line;
    if (this.#isEnding) this.flushSync();
    else if (!this.#isInFlight && !this.#isHeldBack) this.#writeOn();
  }

  /**
   * Writes the waiting lines before the process ends, for at most a second: a reader that is only slow still gets them.
   * Later lines are written at once.
   */
  flushSync(): void {
    // Node waits for the thread that performs a write in flight.
    let bytes = Buffer.concat([this.#isInFlight ? Buffer.alloc(0) : this.#current, Buffer.from(this.#waiting)]);
    this.#isEnding = true;
    this.#current = Buffer.alloc(0);
    this.#waiting = "";
    for (; bytes.length > 0 && this.#attemptsLeft > 0; this.#attemptsLeft--) {
      try {
        while (bytes.length > 0) bytes = bytes.subarray(this.#output.writeSync(bytes));
      } catch (thrown) {
        // These lines are lost, and no one is left to receive a report.
        if (!isFullPipe(thrown as NodeJS.ErrnoException)) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, fullPipeMs);
      }
    }
  }

  #writeOn(): void {
    const hasRest = this.#current.length > 0;
    if (!hasRest) {
      this.#current = Buffer.from(this.#waiting);
      this.#waiting = "";
    }
    if (this.#current.length === 0) return;
    this.#isInFlight = true;
    this.#output.write(this.#current, this.#written);
    // At the place where they are missing: after the waiting lines.
    if (!hasRest && this.#lost > 0) this.#tellLost();
  }

  readonly #written = (error: NodeJS.ErrnoException | null, written: number): void => {
    this.#isInFlight = false;
    if (error === null) {
      this.#current = this.#current.subarray(written);
      this.#writeOn();
      return;
    }
    this.#error = error;
    this.#isHeldBack = true;
    const again = () => {
      this.#isHeldBack = false;
      this.#writeOn();
    };
    this.#clock.setTimeout(again, isFullPipe(error) ? fullPipeMs : brokenMs);
  };

  #tellLost(): void {
    const count = this.#lost;
    const error = this.#error;
    this.#lost = 0;
    this.#error = null;
    lost.emit({ count }, { error });
  }
}

function isFullPipe({ code }: NodeJS.ErrnoException): boolean {
  return code === "EAGAIN";
}
