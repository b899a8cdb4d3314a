import { isThenable, settle } from "../core/foreign/thenable.ts";

/** A source of a stream's chunks: a uniform view of every form that a function may return. */
export interface StreamSource {
  /** The next chunk as an iterator's result, or a thenable of it from an asynchronous source. */
  next(): unknown;
  /** Ends it early, running `finally` blocks of a generator. Returns a value to wait for. */
  stop(): unknown;
}

/**
 * The source in a function's return value: an AsyncIterable (an async generator, a Readable, a web ReadableStream) or a
 * generator; null for anything else. A list is not a stream: its function does not produce it piece by piece.
 *
 * @param stray receives an error of a Readable after it was stopped
 */
export function streamSource(returned: unknown, stray: (thrown: unknown) => void): StreamSource | null {
  if (typeof returned !== "object" || returned === null) return null;
  if (isWebStream(returned)) return webSource(returned);
  if (Symbol.asyncIterator in returned) {
    const iterator = (returned as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    if (isReadable(returned)) return readableSource(returned, iterator, stray);
    return { next: () => iterator.next(), stop: () => iterator.return?.() };
  }
  if (Symbol.iterator in returned && "next" in returned) {
    const iterator = returned as IterableIterator<unknown>;
    return { next: () => awaited(iterator.next()), stop: () => iterator.return?.() };
  }
  return null;
}

/** The `return` of its iterator waits for the chunk being read, which may never come; a reader's `cancel` does not. */
function webSource(stream: WebStream): StreamSource {
  const reader = stream.getReader();
  return { next: () => reader.read(), stop: () => reader.cancel() };
}

/** As with a web stream: `destroy` does not wait. */
function readableSource(
  stream: Readable,
  iterator: AsyncIterator<unknown>,
  stray: (thrown: unknown) => void,
): StreamSource {
  let isStopped = false;
  // While it is read, its iterator reports errors. Afterwards, without a listener, an error would end the process.
  stream.on("error", (thrown) => {
    if (isStopped) stray(thrown);
  });
  return {
    next: () => iterator.next(),
    stop() {
      isStopped = true;
      stream.destroy();
    },
  };
}

/** Waits for a promise that a generator yields, as `for await` does. */
function awaited(next: IteratorResult<unknown>): unknown {
  if (next.done || !isThenable(next.value)) return next;
  const { value } = next;
  return new Promise((resolve, reject) => {
    settle(value, (came) => resolve({ done: false, value: came }), reject);
  });
}

interface WebStream {
  getReader(): { read(): unknown; cancel(): unknown };
}

interface Readable {
  on(event: "error", listener: (thrown: unknown) => void): unknown;
  destroy(): unknown;
}

function isWebStream(value: object): value is WebStream {
  return "getReader" in value && "cancel" in value;
}

function isReadable(value: object): value is Readable {
  return "destroy" in value && "pipe" in value && "on" in value;
}
