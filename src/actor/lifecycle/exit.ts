import type { AnyActorRef } from "xstate";
import { libraryError, toError } from "../../core/errors.ts";
import type { ExitReason } from "./exit-reason.ts";

export type { ExitReason } from "./exit-reason.ts";

/**
 * The event that asks any actor, including machines, to end. A machine answers with a transition that leads, now or
 * later, to a final state; a machine without a transition for it (a `*` counts as one), and every logic that cannot
 * know the event, ends at once, like a process that does not trap exits.
 */
export interface ShutdownEvent {
  readonly type: "actor.shutdown";
}

/** The one {@link ShutdownEvent}. */
export const shutdownEvent: ShutdownEvent = { type: "actor.shutdown" };

/** Ends a contained actor whatever its logic does; sent by {@link kill}. */
export interface KillEvent {
  readonly type: "actor.kill";
  readonly reason: Error | undefined;
}

// Snapshots do not contain this: whether an end was requested or forced.
const marks = new WeakMap<AnyActorRef, "shutdown" | "killed">();

/** Records that `ref` is being ended by request or by force, which then is its exit reason; `none` withdraws it. */
export function markExit(ref: AnyActorRef, mark: "shutdown" | "killed" | "none"): void {
  if (mark === "none") marks.delete(ref);
  else marks.set(ref, mark);
}

/** Whether `ref` has not ended; also true during its init. */
export function isAlive(ref: AnyActorRef): boolean {
  const snapshot = ref.getSnapshot() as { status: string } | undefined;
  return snapshot === undefined || snapshot.status === "active";
}

/** Why `ref` ended, `undefined` while it lives. */
export function exitOf(ref: AnyActorRef): ExitReason | undefined {
  const snapshot = ref.getSnapshot() as { status: string; error: unknown } | undefined;
  switch (snapshot?.status) {
    case "done":
      return marks.get(ref) === "shutdown" ? "shutdown" : "normal";
    case "stopped":
      return marks.get(ref) ?? "shutdown";
    case "error":
      return marks.get(ref) === "killed" ? "killed" : { error: toError(snapshot.error) };
    default:
      return undefined;
  }
}

/**
 * Ends an actor as `Process.exit(pid, :kill)` does: its resources are released, and its supervisor sees the exit. A
 * running handler is not interrupted, and earlier messages are handled first. Works for contained actors, such as all
 * children of supervisors, gen-servers and resources; other actors treat it as an ordinary event.
 *
 * @param reason the error with which the actor shall seem to have crashed; without it, it ends as "killed"
 */
export function kill(ref: AnyActorRef, reason?: Error): void {
  ref.send({ type: "actor.kill", reason } satisfies KillEvent);
}

/** The error in the snapshot of an actor that was killed without a reason. */
export function killedError(ref: AnyActorRef): Error {
  return libraryError("stopped", `The actor "${ref.id}" was killed`);
}
