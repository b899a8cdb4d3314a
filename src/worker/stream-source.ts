import { toError } from "../core/errors.ts";
import { isThenable } from "../core/within.ts";

/** What a stream's chunks are taken from: one of the forms that a function may return, made alike. */
export interface StreamSource {
  /** The next chunk, or a promise of it from a source that may have to wait. */
  next(): IteratorResult<unknown> | Promise<IteratorResult<unknown>>;
  /** Ends it early: what a generator has in `finally` runs. */
  stop(): unknown;
}

/**
 * The source in what a function returned: an AsyncIterable (an async generator, a Readable) or a generator; null for
 * anything else. A list is no stream: its function has nothing to say piece by piece.
 */
export function streamSource(returned: unknown): StreamSource | null {
  if (typeof returned !== "object" || returned === null) return null;
  if (Symbol.asyncIterator in returned) {
    const iterator = (returned as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    return {
      next: () => iterator.next(),
      stop: () => (isReadable(returned) ? returned.destroy() : iterator.return?.()),
    };
  }
  if (Symbol.iterator in returned && "next" in returned) {
    const iterator = returned as IterableIterator<unknown>;
    return { next: () => awaited(iterator.next()), stop: () => iterator.return?.() };
  }
  return null;
}

/** A promise that a generator yields is waited for, as `for await` does. */
function awaited(next: IteratorResult<unknown>): IteratorResult<unknown> | Promise<IteratorResult<unknown>> {
  if (next.done === true || !isThenable(next.value)) return next;
  return Promise.resolve(next.value).then((value) => ({ done: false, value }));
}

/** Ends a source whose chunks nobody wants, and waits for it. @returns what went wrong, or null */
export async function stopSource(source: StreamSource): Promise<Error | null> {
  try {
    await source.stop();
    return null;
  } catch (thrown) {
    return toError(thrown);
  }
}

// The iterator of a Readable ends only with its next chunk, which may never come.
function isReadable(value: object): value is { destroy(): void } {
  return "destroy" in value && "pipe" in value;
}
