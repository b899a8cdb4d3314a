import type { ActorScope } from "xstate";
import { libraryError } from "../../core/errors.ts";
import { type Backoff, backoffMs } from "../../core/time/backoff.ts";
import { replyWith } from "../gen-server/pending-request.ts";
import { contain } from "../lifecycle/contain.ts";
import { markExit } from "../lifecycle/exit.ts";
import { contextOf } from "../lifecycle/system-context.ts";
import {
  type Child,
  errorOfExit,
  handleTimeout,
  type Keeper,
  maxRestartsError,
  newChild,
  refuseSignificant,
  reportRest,
  reportRestart,
  restart,
  startAsked,
  stop,
  stopAllNow,
  takeExit,
  takenError,
  unknownError,
} from "./child.ts";
import { type AutoShutdown, type ChildSpec, defaultIntensity, type Intensity, type Strategy } from "./child-spec.ts";
import { addRestart, affectedChildren, endsSupervisor, shouldRestart } from "./restart.ts";
import type { SupervisorEvent, SupervisorLogic } from "./supervisor-requests.ts";
import { type End, endedSnapshot, type SupervisorSnapshot, supervisorSnapshot } from "./supervisor-snapshot.ts";
import { supervisorStatus } from "./supervisor-status.ts";

/** The children of a supervisor, and how it reacts when one ends. */
export interface SupervisorOptions {
  /** The children to restart when one ends. @default "one_for_one" */
  readonly strategy?: Strategy;
  /** The restarts it allows. @default three within 5000 ms */
  readonly intensity?: Intensity;
  /** Whether it ends when significant children have ended. @default "never" */
  readonly autoShutdown?: AutoShutdown;
  /**
   * With it, the supervisor never gives up: instead it stops its children, waits this long, and starts them again.
   * @default it gives up
   */
  readonly rest?: Backoff;
  /** Started in this order, stopped in reverse. */
  readonly children: readonly ChildSpec[];
}

interface Supervisor extends Keeper {
  readonly children: Map<string, Child>;
  /** Times of the restarts within the period. */
  restarts: readonly number[];
  /** Children being stopped one after another, the last first, and the step after that. */
  stopping: { readonly queue: Child[]; readonly then: () => void } | undefined;
  /** Events that wait until the children being stopped have ended. */
  readonly inbox: SupervisorEvent[];
  end: End | undefined;
  /** How often in a row it has rested, when it last did, and what ends its rest. */
  rests: number;
  restedAt: number;
  restTimer: unknown;
}

type Current = SupervisorSnapshot & { readonly supervisor: Supervisor };

/**
 * A supervisor with the rules of Erlang's `supervisor`: children start in order and stop in reverse; a child that ends
 * is restarted according to its spec and the strategy; more restarts than the intensity allows stop all children and
 * end the supervisor with a GenApiError `max_restarts`, for its own supervisor to handle. A child that fails at the
 * supervisor's start fails the supervisor. A restart that fails counts as one and is retried. With `autoShutdown`, the
 * end of significant children ends the supervisor, as if it were asked to.
 *
 * Differences from OTP: a running handler cannot be interrupted, not even by `brutal_kill`; there is no selective
 * receive; a supervisor always traps exits; at a failed start the earlier children are asked to end but not waited for;
 * a supervisor that gives up ends abnormally (OTP: `shutdown`), so that a transient one is restarted too.
 */
export function fromSupervisor(options: SupervisorOptions): SupervisorLogic {
  const strategy = options.strategy ?? "one_for_one";
  const intensity = options.intensity ?? defaultIntensity;
  const autoShutdown = options.autoShutdown ?? "never";

  function handle(supervisor: Supervisor, event: SupervisorEvent): void {
    const { children } = supervisor;
    switch (event.type) {
      case "supervisor.start_child":
        replyWith(event.from, () => {
          const { spec } = event;
          refuseSignificant(supervisor, spec, autoShutdown);
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
      case "supervisor.rested":
        startRested(supervisor, strategy);
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
    if (shouldRestart(type, reason)) {
      restartAffected(supervisor, child, errorOfExit(reason));
      return;
    }
    if (type === "temporary") supervisor.children.delete(id);
    if (endsSupervisor(autoShutdown, child.spec, livingSpecs(supervisor))) {
      markExit(supervisor.self, "shutdown");
      finish(supervisor, { status: "done" });
    }
  }

  function restartAffected(supervisor: Supervisor, child: Child, failure: unknown): void {
    const { times, exceeded } = addRestart(supervisor.restarts, supervisor.clock.now(), intensity);
    supervisor.restarts = times;
    if (exceeded) {
      const error = maxRestartsError(supervisor, child, failure, intensity);
      if (options.rest === undefined) finish(supervisor, { status: "error", error });
      else rest(supervisor, options.rest, error);
      return;
    }
    reportRestart(supervisor, child, times.length);
    const ids = affectedChildren(strategy, [...supervisor.children.keys()], child.spec.id);
    const affected = ids.flatMap((id) => supervisor.children.get(id) ?? []);
    stopInOrder(supervisor, affected, () => {
      // Temporary children have been forgotten by now. If one fails to start, those after it wait for the retry.
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
          startAsked(supervisor, child);
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
          clearRest(supervisor);
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
    rests: 0,
    restedAt: 0,
    restTimer: undefined,
  };
}

/**
 * Takes one step: ends the next child to be stopped, or otherwise handles the next event. Returns whether there may be
 * more.
 */
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

/** Of the children that live, or will. */
function* livingSpecs({ children }: Supervisor): Generator<ChildSpec> {
  for (const { spec, ref, isRestarting } of children.values()) if (ref !== undefined || isRestarting) yield spec;
}

function stopInOrder(supervisor: Supervisor, children: readonly Child[], then: () => void): void {
  supervisor.stopping = { queue: [...children], then };
}

function finish(supervisor: Supervisor, end: End): void {
  clearRest(supervisor);
  stopInOrder(supervisor, [...supervisor.children.values()], () => {
    supervisor.end = end;
  });
}

/** Stops all children, and has them started again after a time that grows while they fail. */
function rest(supervisor: Supervisor, backoff: Backoff, error: Error): void {
  const { self, clock, children } = supervisor;
  // Whoever ran well for so long begins anew.
  if (clock.now() - supervisor.restedAt > 2 * backoff.maxMs) supervisor.rests = 0;
  supervisor.restarts = [];
  supervisor.rests += 1;
  const ms = backoffMs(backoff, supervisor.rests, Math.random());
  reportRest(supervisor, ms, error);
  stopInOrder(supervisor, [...children.values()], () => {
    for (const child of children.values()) {
      child.isRestarting = true;
      child.failure = error;
    }
    supervisor.restTimer = clock.setTimeout(() => self.send({ type: "supervisor.rested" }), ms);
  });
}

function startRested(supervisor: Supervisor, strategy: Strategy): void {
  supervisor.restTimer = undefined;
  supervisor.restedAt = supervisor.clock.now();
  const rested = [...supervisor.children.values()].filter(({ isRestarting }) => isRestarting);
  // One that fails to start is tried again; with the other strategies that starts those after it, too.
  if (strategy === "one_for_one") for (const child of rested) restart(supervisor, child);
  else rested.every((child) => restart(supervisor, child));
}

function clearRest(supervisor: Supervisor): void {
  supervisor.clock.clearTimeout(supervisor.restTimer);
  supervisor.restTimer = undefined;
}

function idleChild(supervisor: Supervisor, id: string): Child {
  const child = supervisor.children.get(id);
  if (child === undefined) throw unknownError(supervisor, id);
  if (child.ref === undefined && !child.isRestarting) return child;
  const state = child.isRestarting ? "being restarted" : "running";
  throw libraryError("already_started", `The child "${id}" of "${supervisor.self.id}" is ${state}`);
}
