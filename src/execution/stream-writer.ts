import { libraryError } from "../core/errors.ts";
import { hearPromises } from "../core/foreign/hear-promises.ts";
import type { ResponseStream } from "../core/response-stream.ts";

/** The output of a {@link StreamWriter}. */
export interface StreamOutput {
  /** Whether a chunk may be sent now. */
  readonly hasCredit: boolean;
  readonly isOver: boolean;
  /** @throws when the value cannot be encoded or is too big */
  encode(value: unknown): string;
  /** Sends a chunk. */
  send(json: string): void;
  end(lastJson: string | null): void;
  /** Ends the stream as a throw in the function would. */
  fail(thrown: unknown): void;
  /** Ends the stream because of an error that its client must not see. */
  failInternally(thrown: unknown): void;
}

// For a function that does not wait: a burst fits, an endless loop is stopped.
const maxBufferedChunks = 1_000;
const maxBufferedSize = 16 * 1024 * 1024;

/** The `stream` of a RequestInfo. */
export class StreamWriter implements ResponseStream {
  readonly #output: StreamOutput;
  readonly #buffer: string[] = [];
  #bufferedSize = 0;
  /** The end, while it has to wait for buffered chunks. */
  #end: (() => void) | null = null;
  #waiting: { readonly promise: Promise<void>; resolve(): void; reject(error: Error): void } | null = null;

  constructor(output: StreamOutput) {
    this.#output = output;
  }

  sendResult(value: unknown): Promise<void> {
    if (!this.#isOpen) {
      hearPromises(value);
      return this.ready;
    }
    const json = this.#encode(value);
    if (json === null) return this.ready;
    if (this.#buffer.length === 0 && this.#output.hasCredit) {
      this.#output.send(json);
      return this.ready;
    }
    this.#buffer.push(json);
    this.#bufferedSize += json.length;
    if (this.#buffer.length > maxBufferedChunks || this.#bufferedSize > maxBufferedSize) {
      this.#output.failInternally(new Error("The function sends chunks without waiting for its client to take them"));
    }
    return this.ready;
  }

  sendLastResult(value: unknown): void {
    if (!this.#isOpen) {
      hearPromises(value);
      return;
    }
    const json = this.#encode(value);
    if (json !== null) this.#endAfterBuffer(() => this.#output.end(json));
  }

  sendComplete(): void {
    if (this.#isOpen) this.#endAfterBuffer(() => this.#output.end(null));
  }

  sendError(error: unknown): void {
    // At once, because it may have to wait for chunks that are never taken.
    hearPromises(error);
    if (this.#isOpen) this.#endAfterBuffer(() => this.#output.fail(error));
  }

  get ready(): Promise<void> {
    if (!this.#isOpen) return rejected();
    if (this.#buffer.length === 0 && this.#output.hasCredit) return Promise.resolve();
    if (this.#waiting === null) {
      const { promise, resolve, reject } = withResolvers();
      this.#waiting = { promise, resolve, reject };
    }
    return this.#waiting.promise;
  }

  /** Continues when there is credit again, or the stream is over. */
  static resume(writer: StreamWriter): void {
    writer.#resume();
  }

  get #isOpen(): boolean {
    return !this.#output.isOver && this.#end === null;
  }

  #encode(value: unknown): string | null {
    try {
      return this.#output.encode(value);
    } catch (thrown) {
      this.#output.failInternally(thrown);
      return null;
    }
  }

  #endAfterBuffer(end: () => void): void {
    this.#end = end;
    this.#resume();
  }

  #resume(): void {
    while (this.#buffer.length > 0 && this.#output.hasCredit && !this.#output.isOver) {
      const json = this.#buffer.shift() as string;
      this.#bufferedSize -= json.length;
      this.#output.send(json);
    }
    if (this.#buffer.length === 0 && !this.#output.isOver) this.#end?.();
    const waiting = this.#waiting;
    if (waiting === null) return;
    if (this.#isOpen && !this.#output.hasCredit) return;
    this.#waiting = null;
    if (this.#isOpen) waiting.resolve();
    else waiting.reject(streamOver());
  }
}

function streamOver(): Error {
  return libraryError("cancelled", "The stream is over");
}

function rejected(): Promise<never> {
  const promise = Promise.reject(streamOver());
  // A function that does not wait must not suffer from the rejection either.
  promise.catch(() => undefined);
  return promise;
}

function withResolvers(): { promise: Promise<void>; resolve(): void; reject(error: Error): void } {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
