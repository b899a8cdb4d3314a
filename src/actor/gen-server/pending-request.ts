import type { AnyActorRef } from "xstate";
import { libraryError } from "../../core/errors.ts";
import { exitOf, isAlive } from "../lifecycle/exit.ts";
import { contextOf } from "../lifecycle/system-context.ts";
import type { From } from "./from.ts";

export type { From } from "./from.ts";

/** Answers a call with the result of `make`, or rejects it with the error that `make` throws. */
export function replyWith<Reply>(from: From<Reply>, make: () => Reply): void {
  try {
    from.settle(make());
  } catch (error) {
    from.fail(error);
  }
}

// The calls of each actor that were not answered at once. One subscription per actor, made at the first of them, fails
// them when it ends.
const waiting = new WeakMap<AnyActorRef, Set<PendingRequest<never>>>();

class PendingRequest<Reply> implements From<Reply> {
  isPending = true;
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: unknown) => void;
  #release: (() => void) | undefined;

  constructor(resolve: (reply: Reply) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  settle(reply: Reply): void {
    if (this.#close()) this.#resolve(reply);
  }

  fail(error: unknown): void {
    if (this.#close()) this.#reject(error);
  }

  /** Has `release` run when the request is over. */
  whenOver(release: () => void): void {
    this.#release = release;
  }

  #close(): boolean {
    if (!this.isPending) return false;
    this.isPending = false;
    this.#release?.();
    return true;
  }
}

/**
 * Sends `ref` the event that `eventFor` makes with a {@link From}, and waits for the answer. The promise rejects with a
 * GenApiError `noproc` if `ref` has ended or ends before it answers (with its error as cause), and with `timeout`.
 *
 * @param what the name of the request in error messages
 */
export function request<Reply>(
  ref: AnyActorRef | undefined,
  what: string,
  timeoutMs: number | "infinity",
  eventFor: (from: From<Reply>) => { type: string },
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    if (ref === undefined || !isAlive(ref)) {
      const why = ref === undefined ? "there is no such actor, got nothing" : `the actor "${ref.id}" is not alive`;
      reject(libraryError("noproc", `${what}: ${why}`));
      return;
    }
    const call = new PendingRequest(resolve, reject);
    ref.send(eventFor(call));
    // Most are answered by now: a handler that is not busy runs within `send`. Timers would take a third of the time.
    if (!call.isPending) return;
    if (isAlive(ref)) waitFor(call, ref, what, timeoutMs);
    else call.fail(endedError(ref));
  });
}

function waitFor<Reply>(
  call: PendingRequest<Reply>,
  ref: AnyActorRef,
  what: string,
  timeoutMs: number | "infinity",
): void {
  const calls = callsTo(ref);
  calls.add(call);
  if (timeoutMs === "infinity") {
    call.whenOver(() => calls.delete(call));
    return;
  }
  const { clock } = contextOf(ref);
  const timer = clock.setTimeout(() => {
    call.fail(libraryError("timeout", `${what}: "${ref.id}" has not answered within ${timeoutMs} ms`));
  }, timeoutMs);
  call.whenOver(() => {
    calls.delete(call);
    clock.clearTimeout(timer);
  });
}

function callsTo(ref: AnyActorRef): Set<PendingRequest<never>> {
  const known = waiting.get(ref);
  if (known !== undefined) return known;
  const calls = new Set<PendingRequest<never>>();
  waiting.set(ref, calls);
  const ended = () => {
    for (const call of calls) call.fail(endedError(ref));
  };
  ref.subscribe({ complete: ended, error: ended });
  return calls;
}

function endedError(ref: AnyActorRef): Error {
  const exit = exitOf(ref);
  const reason = typeof exit === "object" ? "crashed" : `ended (${exit})`;
  const options = typeof exit === "object" ? { cause: exit.error } : {};
  return libraryError("noproc", `The actor "${ref.id}" ${reason} before it answered`, options);
}
