import type { CallCarrier, NestedListener, NestedRequest, RunningNested } from "../../execution/call-carrier.ts";
import type { ThreadOutbox } from "./thread-outbox.ts";
import { answer, type NestedEntry } from "./thread-protocol.ts";

/** The calls that a thread's functions make of others. They go to the pool, and the Responses come from there. */
export class ThreadNested {
  readonly #outbox: ThreadOutbox;
  /** The functions that wait, by the numbers of their nested calls. */
  readonly #listeners = new Map<number, NestedListener>();
  #count = 0;

  constructor(outbox: ThreadOutbox) {
    this.#outbox = outbox;
  }

  /** Carries the calls of the function in this slot, until its call leaves the slot. */
  carrierOf(slot: number): CallCarrier {
    return { carry: (request, listener) => this.#carry(slot, request, listener) };
  }

  /** A Response has come; null: the pool does not want the call any more, and its function is over. */
  responded(number: number, response: string | null, isLast: boolean): void {
    const listener = this.#listeners.get(number);
    if (listener === undefined) return;
    if (isLast) this.#listeners.delete(number);
    if (response !== null) listener.onResponse(response, isLast);
  }

  #carry(slot: number, request: NestedRequest, listener: NestedListener): RunningNested {
    const { service, requestType, args, version, timeoutMs, isStream } = request;
    const number = ++this.#count;
    this.#listeners.set(number, listener);
    const entry: NestedEntry = [number, service, requestType, args, version, timeoutMs, isStream];
    this.#put(answer.nested, slot, entry);
    return {
      cancel: () => this.#put(answer.nestedCancel, slot, number),
      grant: (chunks) => this.#put(answer.nestedGrant, slot, [number, chunks]),
    };
  }

  #put(kind: number, slot: number, value: unknown): void {
    this.#outbox.put(kind, slot, value);
    this.#outbox.flushLater();
  }
}
