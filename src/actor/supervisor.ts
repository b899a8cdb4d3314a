import type { ActorScope } from "xstate";
import { libraryError } from "../core/errors.ts";
import {
  type Child,
  failureOf,
  handleTimeout,
  type Keeper,
  maxRestartsError,
  newChild,
  reportRestart,
  restart,
  start,
  startAsked,
  stop,
  stopAllNow,
  takeExit,
  takenError,
  unknownError,
} from "./child.ts";
import { type ChildSpec, defaultIntensity, type Intensity, type Strategy } from "./child-spec.ts";
import { contain } from "./contain.ts";
import { replyWith } from "./request.ts";
import { addRestart, affectedChildren, shouldRestart } from "./restart.ts";
import type { SupervisorEvent, SupervisorLogic } from "./supervisor-requests.ts";
import { type End, endedSnapshot, type SupervisorSnapshot, supervisorSnapshot } from "./supervisor-snapshot.ts";
import { supervisorStatus } from "./supervisor-status.ts";
import { contextOf } from "./system-context.ts";

/** What a supervisor starts, and what it does when a child ends. */
export interface SupervisorOptions {
  /** @default "one_for_one" */
  readonly strategy?: Strategy;
  /** @default three restarts within 5000 ms */
  readonly intensity?: Intensity;
  /** Started in this order, stopped in the reverse one. */
  readonly children: readonly ChildSpec[];
}

interface Supervisor extends Keeper {
  readonly children: Map<string, Child>;
  /** When children were restarted, within the period. */
  restarts: readonly number[];
  /** Children that are being stopped one after another, the last first, and what comes then. */
  stopping: { readonly queue: Child[]; readonly then: () => void } | undefined;
  /** What waits until the children being stopped have ended. */
  readonly inbox: SupervisorEvent[];
  end: End | undefined;
}

type Current = SupervisorSnapshot & { readonly supervisor: Supervisor };

/**
 * A supervisor with the rules of Erlang's `supervisor`: children start in order and stop in reverse; a child that ends
 * is restarted as its spec and the strategy say; more restarts than the intensity allows stop all children and end the
 * supervisor with a GenApiError `max_restarts`, for its own supervisor to handle. A child that fails at the supervisor's
 * start fails the supervisor. A restart that fails counts as one and is tried again.
 *
 * Differences from OTP: a running handler cannot be interrupted, not even by `brutal_kill`; there is no selective
 * receive; a supervisor always traps exits; at a failed start the earlier children are asked to end but not waited for;
 * a supervisor that gives up ends abnormally (OTP: `shutdown`), so that a transient one is restarted too.
 */
export function fromSupervisor(options: SupervisorOptions): SupervisorLogic {
  const strategy = options.strategy ?? "one_for_one";
  const intensity = options.intensity ?? defaultIntensity;

  function handle(supervisor: Supervisor, event: SupervisorEvent): void {
    const { children } = supervisor;
    switch (event.type) {
      case "supervisor.start_child":
        replyWith(event.from, () => {
          const { spec } = event;
          if (children.has(spec.id)) throw takenError(supervisor, spec.id);
          const child = newChild(spec);
          const ref = startAsked(supervisor, child);
          children.set(spec.id, child);
          return ref;
        });
        break;
      case "supervisor.terminate_child": {
        const child = children.get(event.id);
        if (child === undefined) event.from.fail(unknownError(supervisor, event.id));
        else stopInOrder(supervisor, [child], () => event.from.settle());
        break;
      }
      case "supervisor.restart_child":
        replyWith(event.from, () => startAsked(supervisor, idleChild(supervisor, event.id)));
        break;
      case "supervisor.delete_child":
        replyWith(event.from, () => {
          children.delete(idleChild(supervisor, event.id).spec.id);
        });
        break;
      case "supervisor.try_again":
        if (event.child.isRestarting) restartAffected(supervisor, event.child, event.child.failure);
        break;
      case "actor.shutdown":
        finish(supervisor, { status: "done" });
        break;
      default:
        if ("actorId" in event) handleActorEvent(supervisor, event.actorId);
    }
  }

  function handleActorEvent(supervisor: Supervisor, id: string): void {
    const child = supervisor.children.get(id);
    const reason = child === undefined ? undefined : takeExit(supervisor, child);
    // Without a reason it is the end of an actor that was stopped or replaced meanwhile.
    if (child === undefined || reason === undefined) return;
    const type = child.spec.restart ?? "permanent";
    if (shouldRestart(type, reason)) restartAffected(supervisor, child, failureOf(reason));
    else if (type === "temporary") supervisor.children.delete(id);
  }

  function restartAffected(supervisor: Supervisor, child: Child, failure: unknown): void {
    const { times, exceeded } = addRestart(supervisor.restarts, supervisor.clock.now(), intensity);
    supervisor.restarts = times;
    if (exceeded) {
      finish(supervisor, { status: "error", error: maxRestartsError(supervisor, child, failure, intensity) });
      return;
    }
    reportRestart(supervisor, child, times.length);
    const ids = affectedChildren(strategy, [...supervisor.children.keys()], child.spec.id);
    const affected = ids.flatMap((id) => supervisor.children.get(id) ?? []);
    stopInOrder(supervisor, affected, () => {
      // Temporary ones are forgotten by now. One that fails to start leaves those after it to the next try.
      affected.filter(({ spec }) => supervisor.children.has(spec.id)).every((each) => restart(supervisor, each));
    });
  }

  const logic = {
    isSupervisor: true as const,
    isGraceful: true as const,
    behaviour: "supervisor" as const,
    config: options,
    formatStatus: ({ supervisor }: Current) => supervisorStatus(strategy, supervisor.children, supervisor.restarts),
    getInitialSnapshot(scope: ActorScope<Current, SupervisorEvent>): Current {
      const supervisor = createSupervisor(scope);
      return Object.assign(supervisorSnapshot(supervisor.children), { supervisor });
    },
    start({ supervisor }: Current): void {
      try {
        for (const spec of options.children) {
          if (supervisor.children.has(spec.id)) throw takenError(supervisor, spec.id);
          const child = newChild(spec);
          supervisor.children.set(spec.id, child);
          start(supervisor, child);
        }
      } catch (error) {
        stopAllNow(supervisor, supervisor.children.values(), true);
        throw error;
      }
    },
    transition(snapshot: Current, event: SupervisorEvent): Current {
      const { supervisor } = snapshot;
      switch (event.type) {
        case "xstate.stop":
          stopAllNow(supervisor, supervisor.children.values(), false);
          return { ...snapshot, status: "stopped", output: undefined, error: undefined };
        case "supervisor.child_timeout":
          handleTimeout(supervisor, event);
          break;
        case "supervisor.child_stopped":
          break;
        default:
          supervisor.inbox.push(event);
      }
      while (supervisor.end === undefined && proceed(supervisor, handle));
      return supervisor.end === undefined ? snapshot : endedSnapshot(snapshot, supervisor.end);
    },
    getPersistedSnapshot: ({ status, output, error }: Current) => ({ status, output, error }),
  };
  return contain(logic as never);
}

function createSupervisor(scope: ActorScope<Current, SupervisorEvent>): Supervisor {
  return {
    self: scope.self,
    clock: contextOf(scope.self).clock,
    stopChild: scope.stopChild,
    children: new Map(),
    restarts: [],
    stopping: undefined,
    inbox: [],
    end: undefined,
  };
}

/** Takes one step: ends the next child to be stopped, or else handles the next event. Says whether there may be more. */
function proceed(supervisor: Supervisor, handle: (supervisor: Supervisor, event: SupervisorEvent) => void): boolean {
  const { stopping } = supervisor;
  if (stopping === undefined) {
    const event = supervisor.inbox.shift();
    if (event === undefined) return false;
    handle(supervisor, event);
    return true;
  }
  const child = stopping.queue.at(-1);
  if (child === undefined) {
    supervisor.stopping = undefined;
    stopping.then();
    return true;
  }
  if (!child.isStopping) stop(supervisor, child);
  if (child.ref !== undefined && takeExit(supervisor, child) === undefined) return false;
  child.isStopping = false;
  stopping.queue.pop();
  if (child.spec.restart === "temporary") supervisor.children.delete(child.spec.id);
  return true;
}

function stopInOrder(supervisor: Supervisor, children: readonly Child[], then: () => void): void {
  supervisor.stopping = { queue: [...children], then };
}

function finish(supervisor: Supervisor, end: End): void {
  stopInOrder(supervisor, [...supervisor.children.values()], () => {
    supervisor.end = end;
  });
}

function idleChild(supervisor: Supervisor, id: string): Child {
  const child = supervisor.children.get(id);
  if (child === undefined) throw unknownError(supervisor, id);
  if (child.ref === undefined && !child.isRestarting) return child;
  const state = child.isRestarting ? "being restarted" : "running";
  throw libraryError("already_started", `The child "${id}" of "${supervisor.self.id}" is ${state}`);
}
