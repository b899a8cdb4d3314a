import type { AnyActorRef } from "xstate";
import { messageOf, toError } from "../../core/errors.ts";
import { isThenable, whenRejected } from "../../core/foreign/thenable.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { type ExitReason, exitOf, isAlive } from "../lifecycle/exit.ts";
import { contextOf } from "../lifecycle/system-context.ts";

const failed = telemetryEvent("monitor.exception");

/** Reports that an actor ended, and why; `noproc`: it had ended before it was monitored. */
export interface Down {
  readonly ref: AnyActorRef;
  readonly reason: ExitReason | "noproc";
}

/** Ends a monitor: its callback is no longer called. */
export type Demonitor = () => void;

/**
 * Calls `onDown` once when `ref` ends, as `Process.monitor/1` sends `:DOWN`; if it has already ended, soon and with the
 * reason `noproc`. What `onDown` throws, or its promise rejects with, is reported and harms nobody: in OTP it would be
 * the monitoring process that crashes, and here there is none.
 */
export function monitor(ref: AnyActorRef, onDown: (down: Down) => void): Demonitor {
  let watches = true;
  const down = (reason: Down["reason"]) => {
    if (!watches) return;
    watches = false;
    try {
      const result: unknown = onDown({ ref, reason });
      if (isThenable(result)) whenRejected(result, (thrown) => report(ref, thrown));
    } catch (thrown) {
      report(ref, thrown);
    }
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

/** Reports what a callback threw: in telemetry or, where nobody listens there, as a warning of the process. */
function report(ref: AnyActorRef, thrown: unknown): void {
  const error = toError(thrown);
  if (failed.active) failed.emit({ count: 1 }, { program: contextOf(ref).program, child: ref.id, error });
  else {
    const detail = error.stack ?? messageOf(error);
    process.emitWarning(`The callback of a monitor of "${ref.id}" failed`, { type: "MonitorWarning", detail });
  }
}
