import type { AnyActorRef } from "xstate";
import { libraryError } from "../core/errors.ts";
import { exitOf, isAlive } from "./exit.ts";
import { contextOf } from "./system-context.ts";

/** Whom a call's answer goes to. Answering twice, or after the caller gave up, does nothing. */
export interface From<Reply> {
  /** Takes the answer. */
  settle(reply: Reply): void;
  /** Takes what went wrong. */
  fail(error: unknown): void;
}

/** Answers a call, then or later. */
export function reply<Reply>(from: From<Reply>, value: Reply): void {
  from.settle(value);
}

/** Answers a call with what `make` returns, or refuses it with what it throws. */
export function replyWith<Reply>(from: From<Reply>, make: () => Reply): void {
  try {
    from.settle(make());
  } catch (error) {
    from.fail(error);
  }
}

// The calls that wait for each actor. One subscription per actor, made at its first call, fails them when it ends.
const waiting = new WeakMap<AnyActorRef, Set<PendingCall<never>>>();

class PendingCall<Reply> implements From<Reply> {
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: unknown) => void;
  readonly #calls: Set<PendingCall<never>>;
  #cancelTimer: (() => void) | undefined;

  constructor(
    calls: Set<PendingCall<never>>,
    resolve: (reply: Reply) => void,
    reject: (error: unknown) => void,
    cancelTimer: ((call: PendingCall<Reply>) => () => void) | undefined,
  ) {
    this.#calls = calls;
    this.#resolve = resolve;
    this.#reject = reject;
    calls.add(this);
    this.#cancelTimer = cancelTimer?.(this);
  }

  settle(reply: Reply): void {
    if (this.#close()) this.#resolve(reply);
  }

  fail(error: unknown): void {
    if (this.#close()) this.#reject(error);
  }

  #close(): boolean {
    if (!this.#calls.delete(this)) return false;
    this.#cancelTimer?.();
    return true;
  }
}

/**
 * Sends `ref` the event that `eventFor` makes with a {@link From}, and waits for its answer. The promise rejects with
 * a GenApiError `noproc` when `ref` has ended or ends before it answers (the cause is its error), and with `timeout`.
 *
 * @param what names the request in error messages
 */
export function request<Reply>(
  ref: AnyActorRef | undefined,
  what: string,
  timeoutMs: number | "infinity",
  eventFor: (from: From<Reply>) => { type: string },
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    if (ref === undefined || !isAlive(ref)) {
      const name = ref === undefined ? "" : ` "${ref.id}"`;
      reject(libraryError("noproc", `${what}: the actor${name} is not alive`));
      return;
    }
    const startTimer = (call: PendingCall<Reply>) => {
      const { clock } = contextOf(ref);
      const timer = clock.setTimeout(() => {
        call.fail(libraryError("timeout", `${what}: "${ref.id}" has not answered within ${timeoutMs} ms`));
      }, timeoutMs as number);
      return () => clock.clearTimeout(timer);
    };
    const call = new PendingCall(callsTo(ref), resolve, reject, timeoutMs === "infinity" ? undefined : startTimer);
    ref.send(eventFor(call));
  });
}

function callsTo(ref: AnyActorRef): Set<PendingCall<never>> {
  const known = waiting.get(ref);
  if (known !== undefined) return known;
  const calls = new Set<PendingCall<never>>();
  waiting.set(ref, calls);
  const ended = () => {
    const exit = exitOf(ref);
    const reason = typeof exit === "object" ? "crashed" : `ended (${exit})`;
    const options = typeof exit === "object" ? { cause: exit.error } : {};
    for (const call of calls) {
      call.fail(libraryError("noproc", `The actor "${ref.id}" ${reason} before it answered`, options));
    }
  };
  ref.subscribe({ complete: ended, error: ended });
  return calls;
}
