import type { ActorScope, AnyActorRef } from "xstate";
import { libraryError } from "../../core/errors.ts";
import { type From, replyWith } from "../gen-server/pending-request.ts";
import { contain } from "../lifecycle/contain.ts";
import type { ExitReason } from "../lifecycle/exit.ts";
import { contextOf } from "../lifecycle/system-context.ts";
import {
  type Child,
  errorOfExit,
  handleTimeout,
  type Keeper,
  maxRestartsError,
  newChild,
  refuseSignificant,
  reportRestart,
  restart,
  startAsked,
  stop,
  stopAllNow,
  takeExit,
  takenError,
  unknownError,
} from "./child.ts";
import { type ChildSpec, defaultIntensity, type Intensity } from "./child-spec.ts";
import { addRestart, shouldRestart } from "./restart.ts";
import type { SupervisorEvent, SupervisorLogic } from "./supervisor-requests.ts";
import { type End, endedSnapshot, type SupervisorSnapshot, supervisorSnapshot } from "./supervisor-snapshot.ts";
import { supervisorStatus } from "./supervisor-status.ts";

/** The limits of a dynamic supervisor. */
export interface DynamicSupervisorOptions {
  /** The restarts it allows. @default three within 5000 ms */
  readonly intensity?: Intensity;
  /** The most children. @default no limit */
  readonly maxChildren?: number;
}

interface DynamicSupervisor extends Keeper {
  readonly children: Map<string, Child>;
  restarts: readonly number[];
  /** Callers that wait for the end of a child that is being terminated. */
  readonly waiting: Map<Child, From<void>[]>;
  /** How it will end once all children have ended. */
  end: End | undefined;
}

type Current = SupervisorSnapshot & { readonly supervisor: DynamicSupervisor };

/**
 * A supervisor of children that come and go, each on its own (Elixir's `DynamicSupervisor`): starting and stopping one
 * costs the same however many there are. Terminating one does not block the others, and at its own end it asks all
 * children at once, each within its shutdown time. It forgets terminated children.
 *
 * Differences from OTP: as for {@link fromSupervisor}.
 */
export function fromDynamicSupervisor(options: DynamicSupervisorOptions = {}): SupervisorLogic {
  const intensity = options.intensity ?? defaultIntensity;
  const maxChildren = options.maxChildren ?? Number.POSITIVE_INFINITY;

  function startNew(supervisor: DynamicSupervisor, spec: ChildSpec): AnyActorRef {
    const { children, self } = supervisor;
    if (supervisor.end !== undefined) throw libraryError("noproc", `The supervisor "${self.id}" is ending`);
    refuseSignificant(supervisor, spec, "dynamic");
    if (children.has(spec.id)) throw takenError(supervisor, spec.id);
    if (children.size >= maxChildren) {
      throw libraryError("unavailable", `The supervisor "${self.id}" has ${maxChildren} children, as many as it may`);
    }
    const child = newChild(spec);
    const ref = startAsked(supervisor, child);
    children.set(spec.id, child);
    return ref;
  }

  function handleExit(supervisor: DynamicSupervisor, child: Child, reason: ExitReason): void {
    const type = child.spec.restart ?? "permanent";
    if (shouldRestart(type, reason)) restartOne(supervisor, child, errorOfExit(reason));
    else supervisor.children.delete(child.spec.id);
  }

  function restartOne(supervisor: DynamicSupervisor, child: Child, failure: unknown): void {
    const { times, exceeded } = addRestart(supervisor.restarts, supervisor.clock.now(), intensity);
    supervisor.restarts = times;
    if (exceeded) {
      finish(supervisor, { status: "error", error: maxRestartsError(supervisor, child, failure, intensity) });
      return;
    }
    reportRestart(supervisor, child, times.length);
    restart(supervisor, child);
  }

  function handleActorEvent(supervisor: DynamicSupervisor, id: string): void {
    const child = supervisor.children.get(id);
    if (child === undefined) return;
    settleStopped(supervisor, child);
    const reason = takeExit(supervisor, child);
    if (reason !== undefined) handleExit(supervisor, child, reason);
  }

  const logic = {
    isSupervisor: true as const,
    isGraceful: true as const,
    behaviour: "dynamic_supervisor" as const,
    config: options,
    formatStatus: ({ supervisor }: Current) =>
      supervisorStatus("one_for_one", supervisor.children, supervisor.restarts),
    getInitialSnapshot(scope: ActorScope<Current, SupervisorEvent>): Current {
      const supervisor = createSupervisor(scope);
      return Object.assign(supervisorSnapshot(supervisor.children), { supervisor });
    },
    transition(snapshot: Current, event: SupervisorEvent): Current {
      const { supervisor } = snapshot;
      switch (event.type) {
        case "xstate.stop":
          stopAllNow(supervisor, supervisor.children.values(), false);
          return { ...snapshot, status: "stopped", output: undefined, error: undefined };
        case "supervisor.start_child":
          replyWith(event.from, () => startNew(supervisor, event.spec));
          break;
        case "supervisor.terminate_child":
          terminate(supervisor, event.id, event.from);
          break;
        case "supervisor.restart_child":
        case "supervisor.delete_child":
          event.from.fail(unknownError(supervisor, event.id));
          break;
        case "supervisor.child_timeout":
          handleTimeout(supervisor, event);
          settleStopped(supervisor, event.child);
          break;
        case "supervisor.child_stopped":
          settleStopped(supervisor, event.child);
          break;
        case "supervisor.try_again":
          if (event.child.isRestarting) restartOne(supervisor, event.child, event.child.failure);
          break;
        case "actor.shutdown":
          finish(supervisor, { status: "done" });
          break;
        default:
          if ("actorId" in event) handleActorEvent(supervisor, event.actorId);
      }
      const { end, children } = supervisor;
      return end === undefined || children.size > 0 ? snapshot : endedSnapshot(snapshot, end);
    },
    getPersistedSnapshot: ({ status, output, error }: Current) => ({ status, output, error }),
  };
  return contain(logic as never);
}

function createSupervisor(scope: ActorScope<Current, SupervisorEvent>): DynamicSupervisor {
  return {
    self: scope.self,
    clock: contextOf(scope.self).clock,
    stopChild: scope.stopChild,
    children: new Map(),
    restarts: [],
    waiting: new Map(),
    end: undefined,
  };
}

function terminate(supervisor: DynamicSupervisor, id: string, from: From<void>): void {
  const child = supervisor.children.get(id);
  if (child === undefined) {
    from.fail(unknownError(supervisor, id));
    return;
  }
  const waiting = supervisor.waiting.get(child);
  if (waiting === undefined) supervisor.waiting.set(child, [from]);
  else waiting.push(from);
  stopOne(supervisor, child);
}

function stopOne(supervisor: DynamicSupervisor, child: Child): void {
  if (!child.isStopping) stop(supervisor, child);
  settleStopped(supervisor, child);
}

/** Forgets a stopping child once it has ended, and answers the callers that waited for it. */
function settleStopped(supervisor: DynamicSupervisor, child: Child): void {
  if (!child.isStopping) return;
  if (child.ref !== undefined && takeExit(supervisor, child) === undefined) return;
  supervisor.children.delete(child.spec.id);
  const waiting = supervisor.waiting.get(child);
  supervisor.waiting.delete(child);
  for (const from of waiting ?? []) from.settle();
}

function finish(supervisor: DynamicSupervisor, end: End): void {
  if (supervisor.end !== undefined) return;
  supervisor.end = end;
  for (const child of [...supervisor.children.values()].reverse()) stopOne(supervisor, child);
}
