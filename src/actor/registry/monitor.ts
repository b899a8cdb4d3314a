import type { AnyActorRef } from "xstate";
import { type ExitReason, exitOf, isAlive } from "../lifecycle/exit.ts";

/** Reports that an actor ended, and why; `noproc`: it had ended before it was monitored. */
export interface Down {
  readonly ref: AnyActorRef;
  readonly reason: ExitReason | "noproc";
}

/** Ends a monitor: its callback is no longer called. */
export type Demonitor = () => void;

/**
 * Calls `onDown` once when `ref` ends, as `Process.monitor/1` sends `:DOWN`; if it has already ended, soon and with the
 * reason `noproc`. `onDown` must not throw: let it send an event to an actor.
 */
export function monitor(ref: AnyActorRef, onDown: (down: Down) => void): Demonitor {
  let watches = true;
  const down = (reason: Down["reason"]) => {
    if (!watches) return;
    watches = false;
    onDown({ ref, reason });
  };
  if (!isAlive(ref)) {
    queueMicrotask(() => down("noproc"));
    return () => {
      watches = false;
    };
  }
  const ended = () => down(exitOf(ref) ?? "shutdown");
  const subscription = ref.subscribe({ complete: ended, error: ended });
  return () => {
    watches = false;
    subscription.unsubscribe();
  };
}
