import { type ActorScope, type AnyActorLogic, type AnyActorRef, type Snapshot, StateMachine } from "xstate";
import { toError } from "../../core/errors.ts";
import { type KillEvent, killedError, markExit, shutdownEvent } from "./exit.ts";

// biome-ignore lint/suspicious/noExplicitAny: XState's own type for a scope of any logic.
type AnyScope = ActorScope<any, any>;

/** A logic that answers `actor.shutdown` itself instead of being ended by it. */
export interface GracefulLogic {
  readonly isGraceful: true;
}

const containedLogics = new WeakMap<AnyActorLogic, AnyActorLogic>();
const stopEvent = { type: "xstate.stop" };

/**
 * Wraps a logic so that its end, in every case, releases what it held. XState leaves behind the children and callback
 * cleanups of an actor that throws; here a throw first stops the inner logic (cleanups run, promises abort, children
 * stop) and then becomes the status `error`, which is inspected and reported to the parent as usual.
 *
 * It also gives every logic two events: `actor.kill` crashes it, `actor.shutdown` ends it unless it handles that event
 * itself.
 *
 * Supervisors contain what they start. Actors that a machine invokes are not a supervisor's children: define those by
 * {@link fromResource} or contain them. Children made by `spawn` inside `assign` are not seen if the very transition
 * that made them throws: use the `spawnChild` action.
 */
export function contain<Logic extends AnyActorLogic>(logic: Logic): Logic {
  const known = containedLogics.get(logic);
  if (known !== undefined) return known as Logic;
  const contained = containing(logic);
  containedLogics.set(logic, contained);
  containedLogics.set(contained, contained);
  return contained as Logic;
}

function containing(logic: AnyActorLogic): AnyActorLogic {
  const isMachine = logic instanceof StateMachine;
  const isGraceful = "isGraceful" in logic;

  const transition = (snapshot: Snapshot<unknown>, event: { type: string }, scope: AnyScope): Snapshot<unknown> => {
    switch (event.type) {
      case "xstate.stop":
        return stopped(logic, snapshot, scope);
      case "actor.kill": {
        const { reason } = event as KillEvent;
        if (reason === undefined) markExit(scope.self, "killed");
        return crashed(logic, snapshot, reason ?? killedError(scope.self), scope);
      }
      case "actor.shutdown": {
        markExit(scope.self, "shutdown");
        const answers = isMachine
          ? (snapshot as unknown as { can(event: object): boolean }).can(shutdownEvent)
          : isGraceful;
        if (!answers) return ended(logic, snapshot, scope);
      }
    }
    const spawned: AnyActorRef[] = [];
    try {
      return logic.transition(snapshot, event, isMachine ? watching(scope, spawned) : scope);
    } catch (error) {
      return crashed(logic, withChildren(snapshot, spawned), error, scope);
    }
  };

  const getInitialSnapshot = (scope: AnyScope, input: unknown): Snapshot<unknown> => {
    if (!isMachine) return logic.getInitialSnapshot(scope, input);
    const spawned: AnyActorRef[] = [];
    let snapshot: Snapshot<unknown> | undefined;
    // Run everything at once: a failed init forgets what it deferred.
    const atOnce = { ...scope, defer: (run: () => void) => run(), actionExecutor: runAction } as AnyScope;
    const release = () => {
      if (snapshot !== undefined) {
        logic.transition({ ...withChildren(snapshot, spawned), status: "active" } as never, stopEvent, atOnce);
      }
    };
    snapshot = logic.getInitialSnapshot(releasing(watching(scope, spawned), release), input) as Snapshot<unknown>;
    if (snapshot.status === "error") release();
    return snapshot;
  };

  // The logic stays the prototype: inspectors read a machine's definition from it.
  return Object.assign(Object.create(logic) as AnyActorLogic, { getInitialSnapshot, transition });
}

/** The scope of a transition that records the actors it spawns: if it throws, no snapshot contains them. */
function watching(scope: AnyScope, spawned: AnyActorRef[]): AnyScope {
  const actionExecutor: AnyScope["actionExecutor"] = (action) => {
    if (action.type === "xstate.spawnChild") {
      const { actorRef } = action.params as { actorRef?: AnyActorRef };
      if (actorRef !== undefined) spawned.push(actorRef);
    }
    scope.actionExecutor(action);
  };
  return { ...scope, actionExecutor };
}

/**
 * The scope of an init whose actions run `release` when they throw. The first actions of a machine run after its
 * children have started, outside of any transition.
 */
function releasing(scope: AnyScope, release: () => void): AnyScope {
  const actionExecutor: AnyScope["actionExecutor"] = (action) => {
    const { exec } = action;
    if (exec === undefined) {
      scope.actionExecutor(action);
      return;
    }
    const guarded: typeof exec = (info, params) => {
      try {
        exec(info, params);
      } catch (error) {
        release();
        throw error;
      }
    };
    scope.actionExecutor({ ...action, exec: guarded });
  };
  return { ...scope, actionExecutor };
}

function runAction(action: Parameters<AnyScope["actionExecutor"]>[0]): void {
  action.exec?.(action.info, action.params);
}

function withChildren(snapshot: Snapshot<unknown>, spawned: readonly AnyActorRef[]): Snapshot<unknown> {
  if (spawned.length === 0) return snapshot;
  const { children } = snapshot as unknown as { children: Record<string, AnyActorRef> };
  return {
    ...snapshot,
    children: { ...children, ...Object.fromEntries(spawned.map((ref) => [ref.id, ref])) },
  } as unknown as Snapshot<unknown>;
}

function stopped(logic: AnyActorLogic, snapshot: Snapshot<unknown>, scope: AnyScope): Snapshot<unknown> {
  try {
    const last = logic.transition(snapshot, stopEvent, scope) as Snapshot<unknown>;
    return last.status === "active" ? ({ ...last, status: "stopped" } as Snapshot<unknown>) : last;
  } catch (error) {
    // This is the end to report, however it came about.
    markExit(scope.self, "none");
    return failed(snapshot, error);
  }
}

function ended(logic: AnyActorLogic, snapshot: Snapshot<unknown>, scope: AnyScope): Snapshot<unknown> {
  const last = stopped(logic, snapshot, scope);
  return last.status === "error" ? last : ({ ...last, status: "done", output: undefined } as Snapshot<unknown>);
}

function crashed(logic: AnyActorLogic, snapshot: Snapshot<unknown>, error: unknown, scope: AnyScope) {
  const last = stopped(logic, snapshot, scope);
  if (last.status !== "error") return failed(last, error);
  const both = [toError(error), toError(last.error)];
  return failed(last, new AggregateError(both, `${both[0]?.message}; its clean-up failed too: ${both[1]?.message}`));
}

function failed(snapshot: Snapshot<unknown>, error: unknown): Snapshot<unknown> {
  return { ...snapshot, status: "error", output: undefined, error } as Snapshot<unknown>;
}
