import { holds } from "../../core/argument.ts";
import { libraryError, toError } from "../../core/errors.ts";
import { hasAborted, listen, stopListening } from "../../core/foreign/abort-signal.ts";
import { shown } from "../../core/shown.ts";
import { demonitor, monitor } from "../monitor.ts";
import type { TaskOptions } from "./task-options.ts";

/**
 * How a stream of tasks runs.
 *
 * @example
 * const options: AsyncStreamOptions = { maxConcurrency: 4, ordered: false, timeoutMs: "infinity" };
 * for await (const result of Task.asyncStream(system.whereis("tasks"), [1, 2, 3], (item) => item * 2, options)) {
 *   console.log(result);
 * }
 */
export interface AsyncStreamOptions extends TaskOptions {
  /** How many tasks run at once, at most. @default 10 */
  readonly maxConcurrency?: number;
  /** Whether results come in the order of their items; else each comes when it is there. @default true */
  readonly ordered?: boolean;
  /** How long each task may take, milliseconds; one that takes longer is ended, and its result is rejected. @default 5000 */
  readonly timeoutMs?: number | "infinity";
}

interface StreamParts<Item, Result> {
  readonly items: Iterable<Item> | AsyncIterable<Item>;
  readonly options: AsyncStreamOptions;
  /** Starts a task for one item. */
  start(item: Item): { readonly outcome: Promise<Result>; end(): void };
}

/** A task that was started, and whose result was not given yet. */
interface Slot<Result> {
  result: PromiseSettledResult<Result> | undefined;
  end(): void;
}

/** Runs the tasks of a stream, as `Task.asyncStream` says. */
export async function* asyncStream<Item, Result>({
  items,
  options: { maxConcurrency = 10, ordered = true, signal, caller },
  start,
}: StreamParts<Item, Result>): AsyncGenerator<PromiseSettledResult<Result>, void, void> {
  const iterator = iteratorOf(items);
  const slots: Slot<Result>[] = [];
  let isPulling = false;
  /** The items are all taken, or have failed. */
  let isExhausted = false;
  /** No task is started any more. */
  let isEnded = false;
  let failure: { readonly error: unknown } | undefined;
  let wake: () => void = () => undefined;

  const end = (why?: { readonly error: unknown }) => {
    isEnded = true;
    failure ??= why;
    wake();
  };
  const begin = (item: Item) => {
    const { outcome, end } = start(item);
    const slot: Slot<Result> = { result: undefined, end };
    slots.push(slot);
    const settled = (result: PromiseSettledResult<Result>) => {
      slot.result = result;
      wake();
    };
    outcome.then(
      (value) => settled({ status: "fulfilled", value }),
      (reason: unknown) => settled({ status: "rejected", reason }),
    );
  };
  const pull = () => {
    isPulling = true;
    const pulled = async () => iterator.next();
    pulled()
      .then((result) => {
        const { isDone, value } = readResult(result);
        isPulling = false;
        // What comes when all is over, nobody waits for.
        if (!isDone && !isEnded) begin(value as Item);
        if (isDone) {
          isExhausted = true;
          end();
        }
        wake();
      })
      .catch((error: unknown) => {
        isPulling = false;
        isExhausted = true;
        end({ error });
      });
  };
  const cancel = () => end({ error: libraryError("cancelled", "The stream of tasks was cancelled") });
  const watch = caller === undefined ? undefined : monitor(caller, cancel);
  if (signal !== undefined && hasAborted(signal)) cancel();
  if (signal !== undefined) listen(signal, cancel);

  try {
    for (;;) {
      if (failure !== undefined) throw failure.error;
      if (!isPulling && !isEnded && slots.length < maxConcurrency) pull();
      const at = ordered ? 0 : slots.findIndex(({ result }) => result !== undefined);
      const result = slots[at]?.result;
      if (result !== undefined) {
        slots.splice(at, 1);
        yield result;
      } else if (isEnded && slots.length === 0) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    if (!isExhausted) {
      // Not waited for: an item that is under way may never come.
      const returned = async () => iterator.return?.();
      returned().catch(() => undefined);
    }
    isEnded = true;
    if (signal !== undefined) stopListening(signal, cancel);
    if (watch !== undefined) demonitor(watch);
    for (const slot of slots) slot.end();
  }
}

function iteratorOf<Item>(items: Iterable<Item> | AsyncIterable<Item>): Iterator<Item> | AsyncIterator<Item> {
  // A string has no `in`.
  const { [Symbol.asyncIterator]: eachAsync } = Object(items) as Partial<AsyncIterable<Item>>;
  const iterator = eachAsync === undefined ? (items as Iterable<Item>)[Symbol.iterator]() : eachAsync.call(items);
  const isIterator = (value: unknown) => typeof (value as Partial<Iterator<Item>>).next === "function";
  if (!holds(isIterator, iterator)) throw itemsError("their iterator must be an object with next", iterator);
  return iterator;
}

/** What an iterator has given, read once. */
function readResult(result: unknown): { readonly isDone: boolean; readonly value: unknown } {
  try {
    if (typeof result === "object" && result !== null) {
      const { done, value } = result as Partial<IteratorResult<unknown>>;
      return { isDone: done === true, value };
    }
  } catch (cause) {
    throw itemsError("what next gives must be readable", result, cause);
  }
  throw itemsError("what next gives must be an object", result);
}

function itemsError(expected: string, got: unknown, cause?: unknown): Error {
  const options = cause === undefined ? {} : { cause: toError(cause) };
  return libraryError("invalid_option", `Task.asyncStream: items: ${expected}, got ${shown(got)}`, options);
}
