import type { AnyActorRef } from "xstate";
import { libraryError, toError } from "../core/errors.ts";

/**
 * Why an actor ended: it reached its end by itself, was asked to end (`actor.shutdown`), was stopped without being
 * asked, or crashed. The words are those of Erlang's exit reasons.
 */
export type ExitReason = "normal" | "shutdown" | "killed" | { readonly error: Error };

/**
 * The event by which every actor, machines included, is asked to end. A machine answers by a transition that leads,
 * now or later, to a final state; a machine without a transition for it (a `*` is one), and every logic that cannot know
 * the event, ends at once, as a process that does not trap exits does.
 */
export interface ShutdownEvent {
  readonly type: "actor.shutdown";
}

/** The one {@link ShutdownEvent}. */
export const shutdownEvent: ShutdownEvent = { type: "actor.shutdown" };

/** Ends a contained actor whatever its logic says; sent by {@link kill}. */
export interface KillEvent {
  readonly type: "actor.kill";
  readonly reason: Error | undefined;
}

// What a snapshot cannot say: whether an end was asked for or forced.
const marks = new WeakMap<AnyActorRef, "shutdown" | "killed">();

/** Notes that `ref` is being ended by request or by force; its end then has that reason, `none` takes it back. */
export function markExit(ref: AnyActorRef, mark: "shutdown" | "killed" | "none"): void {
  if (mark === "none") marks.delete(ref);
  else marks.set(ref, mark);
}

/** Whether `ref` has not ended: true also while it is still in its init. */
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
 * Ends an actor as `Process.exit(pid, :kill)` does: what it held is released, its supervisor sees the exit.
 * A handler that is running is not interrupted, and messages that came earlier are handled first. For actors that are
 * contained, as all children of supervisors, gen-servers and resources are; others take it for an event.
 *
 * @param reason the error that the actor shall seem to have crashed with; without it, it ends as "killed"
 */
export function kill(ref: AnyActorRef, reason?: Error): void {
  ref.send({ type: "actor.kill", reason } satisfies KillEvent);
}

/** The error in the snapshot of an actor that was killed without a reason. */
export function killedError(ref: AnyActorRef): Error {
  return libraryError("stopped", `The actor "${ref.id}" was killed`);
}
