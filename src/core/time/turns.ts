import { libraryError } from "../errors.ts";

/**
 * Shares the event loop among long pieces of work: each waits for its turn, works for a few milliseconds and waits for
 * the next turn, so that other work is served in between, however many pieces there are.
 */
export class Turns {
  readonly #waiting: { readonly begin: () => void; readonly end: (error: Error) => void }[] = [];
  readonly #next = () => this.#begin();
  #isScheduled = false;
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Resolves in a turn of the event loop that belongs to this caller alone.
   * @throws GenApiError `stopped` once closed
   */
  next(): Promise<void> {
    return new Promise((begin, end) => {
      if (this.#isClosed) {
        end(stopped());
        return;
      }
      this.#waiting.push({ begin, end });
      this.#schedule();
    });
  }

  /** Ends the work: rejects everyone who waits for a turn, now or later. */
  close(): void {
    this.#isClosed = true;
    for (const { end } of this.#waiting.splice(0)) end(stopped());
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#next);
  }

  #begin(): void {
    this.#isScheduled = false;
    this.#waiting.shift()?.begin();
    if (this.#waiting.length > 0) this.#schedule();
  }
}

function stopped(): Error {
  return libraryError("stopped", "The config receiver has ended");
}
