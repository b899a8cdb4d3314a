import type { ActorLogic, ActorRef, AnyActorLogic, AnyActorRef } from "xstate";
import type { GenServerLogic } from "../gen-server/gen-server.ts";
import type { GenServerRef } from "../gen-server/gen-server-ref.ts";
import { type From, request } from "../gen-server/pending-request.ts";
import type { GracefulLogic } from "../lifecycle/contain.ts";
import type { Child, ChildEvent } from "./child.ts";
import { type ChildSpec, typeOf } from "./child-spec.ts";
import type { SupervisorSnapshot } from "./supervisor-snapshot.ts";
import type { ChildStatus } from "./tree-node.ts";

/** A reference to a supervisor, dynamic or not. */
export type SupervisorRef = ActorRef<SupervisorSnapshot, SupervisorEvent>;

/** The logic that {@link fromSupervisor} and {@link fromDynamicSupervisor} make. */
export interface SupervisorLogic extends ActorLogic<SupervisorSnapshot, SupervisorEvent>, GracefulLogic {
  readonly isSupervisor: true;
}

/** The requests to a supervisor. */
type SupervisorRequest =
  | { readonly type: "supervisor.start_child"; readonly spec: ChildSpec; readonly from: From<AnyActorRef> }
  | { readonly type: "supervisor.terminate_child"; readonly id: string; readonly from: From<void> }
  | { readonly type: "supervisor.restart_child"; readonly id: string; readonly from: From<AnyActorRef> }
  | { readonly type: "supervisor.delete_child"; readonly id: string; readonly from: From<void> };

/** Every event that reaches a supervisor. */
export type SupervisorEvent =
  | SupervisorRequest
  | ChildEvent
  | { readonly type: "supervisor.rested" }
  | { readonly type: "actor.shutdown" }
  | { readonly type: "xstate.stop" }
  | { readonly type: `xstate.done.actor.${string}`; readonly actorId: string }
  | { readonly type: `xstate.error.actor.${string}`; readonly actorId: string; readonly error: unknown };

/** A reference to an actor of this logic. */
export type RefOf<Logic extends AnyActorLogic> =
  Logic extends GenServerLogic<infer _Input, infer Calls, infer Casts>
    ? GenServerRef<Calls, Casts>
    : Logic extends ActorLogic<infer Snap, infer Event, infer _Input, infer _System, infer Emitted>
      ? ActorRef<Snap, Event, Emitted>
      : never;

/**
 * Adds a child and starts it; its init has run when the promise resolves.
 *
 * @throws GenApiError (as a rejection) `already_started` if the id or name is taken, `unavailable` if a dynamic
 * supervisor has `maxChildren`, `failed` if the child did not start, with the child's error as cause; the spec is not
 * kept
 */
export function startChild<Logic extends AnyActorLogic>(
  supervisor: SupervisorRef | undefined,
  spec: ChildSpec<Logic>,
  timeoutMs?: number | "infinity",
): Promise<RefOf<Logic>> {
  return ask(supervisor, "startChild", timeoutMs, (from: From<AnyActorRef>) => ({
    type: "supervisor.start_child",
    spec: spec as ChildSpec,
    from,
  })) as Promise<RefOf<Logic>>;
}

/**
 * Stops a child within its shutdown time; its spec stays, unless the child is temporary or its supervisor dynamic.
 *
 * @throws GenApiError (as a rejection) `not_found`
 */
export function terminateChild(
  supervisor: SupervisorRef | undefined,
  id: string,
  timeoutMs?: number | "infinity",
): Promise<void> {
  return ask(supervisor, "terminateChild", timeoutMs, (from: From<void>) => ({
    type: "supervisor.terminate_child",
    id,
    from,
  }));
}

/**
 * Starts a child that was terminated or ended by itself. Not for dynamic supervisors.
 *
 * @throws GenApiError (as a rejection) `not_found`; `already_started` while it runs or is being restarted; `failed` if
 * it did not start
 */
export function restartChild(
  supervisor: SupervisorRef | undefined,
  id: string,
  timeoutMs?: number | "infinity",
): Promise<AnyActorRef> {
  return ask(supervisor, "restartChild", timeoutMs, (from: From<AnyActorRef>) => ({
    type: "supervisor.restart_child",
    id,
    from,
  }));
}

/**
 * Forgets the spec of a child that is not running. Not for dynamic supervisors.
 *
 * @throws GenApiError (as a rejection) `not_found`; `already_started` while it runs or is being restarted
 */
export function deleteChild(
  supervisor: SupervisorRef | undefined,
  id: string,
  timeoutMs?: number | "infinity",
): Promise<void> {
  return ask(supervisor, "deleteChild", timeoutMs, (from: From<void>) => ({
    type: "supervisor.delete_child",
    id,
    from,
  }));
}

/** A child as its supervisor sees it; `ref` is undefined while it is not running. */
export interface ChildInfo {
  readonly id: string;
  readonly ref: AnyActorRef | undefined;
  readonly status: ChildStatus;
  readonly type: "worker" | "supervisor";
  readonly restarts: number;
  /** Time of its last restart; milliseconds since 1970, null if there was none. */
  readonly restartedAt: number | null;
}

/** The children in the order of their start. */
export function whichChildren(supervisor: SupervisorRef): readonly ChildInfo[] {
  return Array.from(supervisor.getSnapshot().supervised.values(), infoOf);
}

/** The children that have been restarted, or should be running and are not. */
export function troubledChildren(supervisor: SupervisorRef): readonly ChildInfo[] {
  const troubled: ChildInfo[] = [];
  for (const child of supervisor.getSnapshot().supervised.values()) {
    if (child.restarts > 0 || child.isRestarting) troubled.push(infoOf(child));
  }
  return troubled;
}

/** The numbers of specs, of running children, and of supervisors and workers among the specs. */
export function countChildren(supervisor: SupervisorRef): {
  readonly specs: number;
  readonly active: number;
  readonly supervisors: number;
  readonly workers: number;
} {
  const { supervised } = supervisor.getSnapshot();
  let active = 0;
  let supervisors = 0;
  for (const child of supervised.values()) {
    if (child.ref !== undefined) active += 1;
    if (typeOf(child.spec) === "supervisor") supervisors += 1;
  }
  return { specs: supervised.size, active, supervisors, workers: supervised.size - supervisors };
}

function infoOf(child: Child): ChildInfo {
  const { spec, ref, restarts, restartedAt } = child;
  return { id: spec.id, ref, status: statusOf(child), type: typeOf(spec), restarts, restartedAt };
}

/** A child's status. */
export function statusOf(child: Child): ChildStatus {
  if (child.ref !== undefined) return "running";
  return child.isRestarting ? "restarting" : "stopped";
}

// As in OTP, a supervisor's caller waits without limit: stopping a child may take its whole shutdown time.
function ask<Reply>(
  supervisor: SupervisorRef | undefined,
  what: string,
  timeoutMs: number | "infinity" = "infinity",
  eventFor: (from: From<Reply>) => SupervisorRequest,
): Promise<Reply> {
  return request(supervisor, what, timeoutMs, eventFor);
}
