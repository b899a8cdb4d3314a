import { isGenApiError } from "../../core/errors.ts";
import { ownContext } from "../../core/foreign/own-context.ts";
import { settle } from "../../core/foreign/thenable.ts";
import { type FunctionKind, kindOfFunction } from "../../execution/function-kind.ts";
import { type FunctionPlace, loadFunction, type ServiceFunction } from "../../execution/load-function.ts";
import { internalData, type ThrownData } from "../../execution/thrown-data.ts";
import { ThreadImports } from "./thread-imports.ts";
import type { ThreadMarks } from "./thread-marks.ts";
import type { ThreadOutbox } from "./thread-outbox.ts";
import { answer } from "./thread-protocol.ts";

/** A function as a thread knows it. */
export interface ThreadFunction extends FunctionPlace {
  /** Null until it was loaded. */
  run: ServiceFunction | null;
  /** How long the last call held the thread, milliseconds; infinite before the first. */
  heldMs: number;
  /** The running import, shared by all calls that wait for it. */
  loading: Promise<void> | null;
}

/** The functions that a thread knows, by the pool's numbers, and the calls that wait for their import. */
export class ThreadFunctions {
  readonly #outbox: ThreadOutbox;
  readonly #functions: ThreadFunction[] = [];
  readonly #marks: ThreadMarks;
  /** The slots that wait for an import, each with a token of its call. */
  readonly #waiting = new Map<number, object>();
  readonly #imports: ThreadImports;

  /** @param report receives errors that concern no call */
  constructor(outbox: ThreadOutbox, marks: ThreadMarks, report: (error: Error) => void) {
    this.#outbox = outbox;
    this.#marks = marks;
    this.#imports = new ThreadImports(report);
  }

  define(number: number, place: FunctionPlace): void {
    this.#functions[number] = { ...place, run: null, heldMs: Number.POSITIVE_INFINITY, loading: null };
  }

  get(number: number): ThreadFunction {
    return this.#functions[number] as ThreadFunction;
  }

  /** Imports a module ahead of its calls. They import it again, and report a failure. */
  preload(module: string): void {
    const ended = (): void => {
      this.#outbox.put(answer.imported, 0, module);
      this.#outbox.flushLater();
    };
    const importing = ownContext().runInAsyncScope(() => import(module));
    settle(this.#imports.watch(module, importing), ended, () => {
      this.#spoiled(module);
      this.#outbox.flushLater();
    });
  }

  /**
   * Imports a function for the call in `slot`, then begins the call. If it cannot be loaded, that is the call's answer.
   */
  async load(slot: number, called: ThreadFunction, begin: (run: ServiceFunction) => void): Promise<void> {
    if (!this.#marks.load(slot)) {
      this.#outbox.put(answer.withdrawn, slot, null);
      return;
    }
    const wait = {};
    this.#waiting.set(slot, wait);
    let failure: ThrownData | null = null;
    try {
      called.loading ??= this.#import(called);
      await called.loading;
    } catch (thrown) {
      failure = internalData(thrown);
      if (isGenApiError(thrown) && thrown.code === "module_unreadable") this.#spoiled(called.module);
    }
    // A withdrawal freed the slot, which may have another call by now.
    if (this.#waiting.get(slot) !== wait) return;
    this.#waiting.delete(slot);
    if (failure === null) begin(called.run as ServiceFunction);
    else if (this.#marks.fail(slot)) this.#outbox.put(answer.failure, slot, failure);
    else this.#outbox.put(answer.withdrawn, slot, null);
    this.#outbox.flushLater();
  }

  /** Loads a function that no call waits for, and reports its kind, or why it cannot be loaded. */
  async verify(number: number): Promise<void> {
    const called = this.get(number);
    let found: FunctionKind | ThrownData;
    try {
      called.loading ??= this.#import(called);
      await called.loading;
      found = kindOfFunction(called.run);
    } catch (thrown) {
      found = internalData(thrown);
    }
    this.#outbox.put(answer.verified, number, found);
    this.#outbox.flushLater();
  }

  /** The pool has taken back a call that waits for an import, which may never end: its slot is free at once. */
  withdraw(slot: number): void {
    if (this.#waiting.delete(slot)) this.#outbox.put(answer.withdrawn, slot, null);
  }

  /** Reports a failed import; the pool replaces the thread when it matters. */
  #spoiled(module: string): void {
    this.#outbox.put(answer.spoiled, 0, module);
  }

  /** Resolves with nothing: a user's module may have given a `then` to any value created here. */
  async #import(called: ThreadFunction): Promise<void> {
    this.#outbox.put(answer.importing, 0, called.module);
    try {
      const loading = ownContext().runInAsyncScope(() => loadFunction(called));
      called.run = (await this.#imports.watch(called.module, loading)).run;
    } finally {
      called.loading = null;
      this.#outbox.put(answer.imported, 0, called.module);
    }
  }
}
