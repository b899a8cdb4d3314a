/** Why a running call is ended from outside. */
export type AbortReason = "cancelled" | "disconnected" | "stopped";

/** A call that still runs. */
export interface RunningCall {
  readonly requestId: string;
  readonly isStream: boolean;
  abort(reason: AbortReason): void;
  /** Ends a stream in an orderly way, as its client asked. */
  stop(): void;
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

  /** What cancels every running call with this request id; null when there is none. */
  cancel(requestId: string): (() => void) | null {
    const named = [...this.#calls].filter((call) => call.requestId === requestId);
    if (named.length === 0) return null;
    return () => {
      for (const call of named) call.abort("cancelled");
    };
  }

  /** What ends the stream with this request id in an orderly way; null when there is none. */
  stopStream(requestId: string): (() => void) | null {
    const stream = this.#stream(requestId);
    return stream === undefined ? null : () => stream.stop();
  }

  /** Whether a stream with this request id is live. */
  hasStream(requestId: string): boolean {
    return this.#stream(requestId) !== undefined;
  }

  #stream(requestId: string): RunningCall | undefined {
    for (const call of this.#calls) if (call.isStream && call.requestId === requestId) return call;
    return undefined;
  }

  /** Ends all of them, when their caller goes away. */
  abortAll(reason: AbortReason): void {
    for (const call of [...this.#calls]) call.abort(reason);
  }
}
