import type { Clock } from "../core/clock.ts";
import { telemetryEvent } from "./telemetry.ts";

/** A file descriptor: `fs.write` and `fs.writeSync` of it. */
export interface LineOutput {
  write(bytes: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): void;
  writeSync(bytes: Buffer): number;
}

// Characters.
const maxWaiting = 1_048_576;
// A pipe that is full is soon read; a disk that is full, or a reader that is gone, takes somebody to see to it.
const fullPipeMs = 5;
const brokenMs = 1_000;
const flushAttempts = 200;

const lost = telemetryEvent("log.lost");

/**
 * Writes lines in the background, all that have come meanwhile at once. Whatever becomes of the output (a full disk, a
 * reader that is slow or gone, a closed terminal) nobody waits and nobody fails: the first megabyte of lines waits for it
 * to work again, further ones are lost, which is told then.
 */
export class LineWriter {
  readonly #output: LineOutput;
  readonly #clock: Clock;
  /** What is being written, or has to be tried again. */
  #current: Buffer = Buffer.alloc(0);
  #waiting = "";
  #isInFlight = false;
  #isHeldBack = false;
  #lost = 0;
  #error: Error | null = null;

  constructor(output: LineOutput, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
  }

  /** @param line with its end */
  write(line: string): void {
    if (this.#waiting.length + line.length > maxWaiting) {
      this.#lost++;
      return;
    }
    this.#waiting += line;
    if (!this.#isInFlight && !this.#isHeldBack) this.#writeOn();
  }

  /** Writes what waits before the process ends, for a second at most: a reader that is only slow still gets it. */
  flushSync(): void {
    // What is in flight is written by a thread that Node waits for.
    let bytes = Buffer.concat([this.#isInFlight ? Buffer.alloc(0) : this.#current, Buffer.from(this.#waiting)]);
    for (let attempts = 0; bytes.length > 0 && attempts < flushAttempts; attempts++) {
      try {
        while (bytes.length > 0) bytes = bytes.subarray(this.#output.writeSync(bytes));
      } catch (thrown) {
        // These lines are lost, and nobody is left to be told.
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
    // Where they are missing: behind the lines that waited.
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
