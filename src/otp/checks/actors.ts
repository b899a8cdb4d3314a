import { types } from "node:util";
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
  const hint = types.isPromise(ref) ? "a promise: await it first" : shown(ref);
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

/** By its shape: the actors that a machine of the host's makes are of whichever XState the host has. */
export function isActor(value: unknown): value is AnyActorRef {
  if (typeof value !== "object" || value === null) return false;
  try {
    const { sessionId, send, subscribe, getSnapshot } = value as Partial<AnyActorRef>;
    if (typeof sessionId !== "string" || typeof send !== "function") return false;
    return typeof subscribe === "function" && typeof getSnapshot === "function";
  } catch {
    // What cannot be read is no actor.
    return false;
  }
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
  const why =
    supervisor === undefined
      ? "there is no such supervisor, got nothing"
      : `the supervisor "${supervisor.id}" is not alive`;
  throw libraryError("noproc", `${what}: ${why}`);
}

function hasChildren(ref: AnyActorRef): boolean {
  const snapshot: unknown = ref.getSnapshot();
  return typeof snapshot === "object" && snapshot !== null && "supervised" in snapshot;
}

/** The time of the system that `ref` lives in; the machine's for nobody. */
export function clockOf(what: string, ref: unknown): Clock {
  return ref === undefined ? systemClock : contextOf(actor(what, ref)).clock;
}
