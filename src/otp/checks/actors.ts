import type { AnyActorRef } from "xstate";
import * as exit from "../../actor/lifecycle/exit.ts";
import { contextOf } from "../../actor/lifecycle/system-context.ts";
import type { SupervisorRef } from "../../actor/supervisor/supervisor-requests.ts";
import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/shown.ts";
import { type Clock, systemClock } from "../../core/time/clock.ts";

/**
 * The actor behind a reference.
 * @param what who asks, for the message
 * @throws GenApiError `invalid_request` when it is none
 */
export function actor(what: string, ref: unknown): AnyActorRef {
  if (isActor(ref)) return ref;
  const hint = ref instanceof Promise ? "a promise: await it first" : shown(ref);
  throw libraryError("invalid_request", `${what} takes the reference of an actor, got ${hint}`);
}

/** As {@link actor}; undefined for one that has ended, of which XState would warn. */
export function livingActor(what: string, ref: unknown): AnyActorRef | undefined {
  const found = actor(what, ref);
  return exit.isAlive(found) ? found : undefined;
}

/** An actor as its host sees it. */
export function refTo<Ref>(ref: AnyActorRef): Ref {
  return ref as unknown as Ref;
}

function isActor(value: unknown): value is AnyActorRef {
  if (typeof value !== "object" || value === null || !("sessionId" in value)) return false;
  return typeof (value as { send?: unknown }).send === "function";
}

/** A reference that is to be a supervisor's; nobody's stays undefined. */
export function supervisorOf(what: string, ref: unknown): SupervisorRef | undefined {
  if (ref === undefined) return undefined;
  const found = actor(what, ref);
  if (hasChildren(found)) return found as SupervisorRef;
  throw libraryError("invalid_request", `${what} takes the reference of a supervisor, got that of "${found.id}"`);
}

/** @throws GenApiError `noproc` when it does not live */
export function livingSupervisor(what: string, ref: unknown): SupervisorRef {
  const supervisor = supervisorOf(what, ref);
  if (supervisor !== undefined && exit.exitOf(supervisor) === undefined) return supervisor;
  const name = supervisor === undefined ? "" : ` "${supervisor.id}"`;
  throw libraryError("noproc", `${what}: the supervisor${name} is not alive`);
}

function hasChildren(ref: AnyActorRef): boolean {
  const snapshot: unknown = ref.getSnapshot();
  return typeof snapshot === "object" && snapshot !== null && "supervised" in snapshot;
}

/** The time of the system that `ref` lives in; the machine's for nobody. */
export function clockOf(ref: unknown): Clock {
  return ref === undefined ? systemClock : contextOf(actor("clock", ref)).clock;
}
