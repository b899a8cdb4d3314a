/** Why a running call is ended from outside. */
export type AbortReason = "cancelled" | "disconnected" | "stopped";

/** A call that still runs. */
export interface RunningCall {
  readonly requestId: string;
  abort(reason: AbortReason): void;
}

/** The calls that one caller has running, so that they can be cancelled by request id and ended together. */
export class RunningCalls {
  readonly #calls = new Set<RunningCall>();
  readonly #waiters: (() => void)[] = [];

  get size(): number {
    return this.#calls.size;
  }

  add(call: RunningCall): void {
    this.#calls.add(call);
  }

  delete(call: RunningCall): void {
    this.#calls.delete(call);
    if (this.#calls.size > 0 || this.#waiters.length === 0) return;
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  /** Resolves when no call runs any more. */
  finished(): Promise<void> {
    return this.#calls.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Cancels every running call with this request id. @returns whether there was one */
  cancel(requestId: string): boolean {
    const named = [...this.#calls].filter((call) => call.requestId === requestId);
    for (const call of named) call.abort("cancelled");
    return named.length > 0;
  }

  /** Ends all of them, when their caller goes away. */
  abortAll(reason: AbortReason): void {
    for (const call of [...this.#calls]) call.abort(reason);
  }
}
