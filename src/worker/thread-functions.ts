import { loadFunction, type ServiceFunction } from "../core/load-function.ts";
import type { ThreadOutbox } from "./thread-outbox.ts";
import { answer } from "./thread-protocol.ts";
import { internalData, type ThrownData } from "./thrown-data.ts";

/** A function as a thread knows it. */
export interface ThreadFunction {
  readonly module: string;
  readonly name: string;
  /** Null until it was loaded. */
  run: ServiceFunction | null;
  /** How long the last call held the thread, milliseconds; infinite before the first. */
  heldMs: number;
  /** The running import, shared by all calls that wait for it. */
  loading: Promise<void> | null;
}

/** The functions that a thread was told of, by the numbers that the pool gave them, and who waits for their import. */
export class ThreadFunctions {
  readonly #outbox: ThreadOutbox;
  readonly #functions: ThreadFunction[] = [];
  /** The slots that wait, and whether they still want to. */
  readonly #waiting = new Map<number, { cancelled: boolean }>();

  constructor(outbox: ThreadOutbox) {
    this.#outbox = outbox;
  }

  define(number: number, module: string, name: string): void {
    this.#functions[number] = { module, name, run: null, heldMs: Number.POSITIVE_INFINITY, loading: null };
  }

  get(number: number): ThreadFunction {
    return this.#functions[number] as ThreadFunction;
  }

  /** Imports a module ahead of its calls. Whether that succeeds is for them to tell, which import it again. */
  preload(module: string): void {
    const ended = (): void => {
      this.#outbox.put(answer.imported, 0, module);
      this.#outbox.flushLater();
    };
    import(module).then(ended, ended);
  }

  /**
   * Imports a function for the call in `slot`, then begins the call. When it cannot be loaded, or the call was
   * cancelled meanwhile, that is the call's answer. A failed import is not kept: the next call tries again.
   */
  async load(slot: number, called: ThreadFunction, begin: (run: ServiceFunction) => void): Promise<void> {
    const wait = { cancelled: false };
    this.#waiting.set(slot, wait);
    let failure: ThrownData | null = null;
    try {
      called.loading ??= this.#import(called);
      await called.loading;
    } catch (thrown) {
      failure = internalData(thrown);
    }
    // Answered when it was cancelled; its slot may be another's by now.
    if (wait.cancelled) return;
    this.#waiting.delete(slot);
    if (failure !== null) this.#outbox.put(answer.failure, slot, failure);
    else begin(called.run as ServiceFunction);
    this.#outbox.flushLater();
  }

  /** Keeps a call that waits from being begun. @returns whether it waits */
  cancel(slot: number): boolean {
    const wait = this.#waiting.get(slot);
    if (wait === undefined) return false;
    wait.cancelled = true;
    this.#waiting.delete(slot);
    // At once: an import may never end.
    this.#outbox.put(answer.failure, slot, internalData(new Error("Cancelled before it began")));
    return true;
  }

  /** Resolves with nothing: a value made here may have got a `then` from the user's module. */
  async #import(called: ThreadFunction): Promise<void> {
    try {
      called.run = (await loadFunction(called.module, called.name)).run;
    } finally {
      called.loading = null;
    }
  }
}
