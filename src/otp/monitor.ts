import type { ExitReason } from "../actor/lifecycle/exit-reason.ts";
import * as inner from "../actor/registry/monitor.ts";
import { mustTake } from "../core/argument.ts";
import type { ActorRef } from "./actor-ref.ts";
import { actor, refTo } from "./checks/actors.ts";
import { checkOptions, fields, fun } from "./checks/faults.ts";

/**
 * That an actor ended, and why (`:DOWN`).
 *
 * @example
 * monitor(ref, ({ ref, reason }: Down) => console.log(`${ref.id} ended`, reason));
 */
export interface Down {
  /** The actor that ended. */
  readonly ref: ActorRef;
  /** Why it ended; `noproc`: it had ended before it was monitored. */
  readonly reason: ExitReason | "noproc";
}

/**
 * A monitor, as {@link demonitor} takes it.
 *
 * @example
 * const watch: Monitor = monitor(ref, () => undefined);
 * demonitor(watch);
 */
export interface Monitor {
  /** The actor that is watched. */
  readonly ref: ActorRef;
}

const monitors = new WeakMap<Monitor, inner.Demonitor>();
const isMonitor = (value: unknown) => monitors.has(value as Monitor);

/**
 * Calls `onDown` once when the actor ends (`Process.monitor/1`); when it has ended already, soon and with the reason
 * `noproc`. What `onDown` throws, or its promise rejects with, harms nobody: the telemetry event `monitor.exception` has
 * it; where nobody listens to that, it is a warning of the process.
 *
 * @throws GenApiError `invalid_request` for what is no actor, `invalid_option` when `onDown` is no function
 * @example
 * const watch = monitor(worker, ({ reason }) => send(manager, { type: "worker_down", reason }));
 */
export function monitor(ref: ActorRef, onDown: (down: Down) => void): Monitor {
  checkOptions("monitor", { onDown }, fields({ onDown: fun }));
  const watched = actor("monitor", ref);
  const made: Monitor = Object.freeze({ ref });
  monitors.set(
    made,
    inner.monitor(watched, ({ ref: ended, reason }) => onDown({ ref: refTo(ended), reason })),
  );
  return made;
}

/**
 * Ends a monitor (`Process.demonitor/1`): its callback is not called any more. A second time does nothing.
 *
 * @throws GenApiError `invalid_request` for what is no monitor
 * @example
 * const watch = monitor(ref, () => console.log("down"));
 * demonitor(watch);
 */
export function demonitor(watch: Monitor): void {
  mustTake("demonitor", "a monitor, as monitor returns it", watch, isMonitor);
  monitors.get(watch)?.();
}
