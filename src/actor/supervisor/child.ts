import { type AnyActorRef, createActor } from "xstate";
import { libraryError, toError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { contain } from "../lifecycle/contain.ts";
import { type ExitReason, exitOf, isAlive, markExit, shutdownEvent } from "../lifecycle/exit.ts";
import { startActor } from "../lifecycle/start-actor.ts";
import { contextOf } from "../lifecycle/system-context.ts";
import { type AutoShutdown, type ChildSpec, type Intensity, shutdownOf, significanceFault } from "./child-spec.ts";

const childStart = telemetryEvent("supervisor.child.start");
const childExit = telemetryEvent("supervisor.child.exit");
const childRestart = telemetryEvent("supervisor.child.restart");
const rest = telemetryEvent("supervisor.rest");

/** A child as its supervisor keeps it. */
export interface Child {
  readonly spec: ChildSpec;
  /** The running actor, or one whose end the supervisor has not handled yet. */
  ref: AnyActorRef | undefined;
  /** Its start failed with `failure` and will be retried. */
  isRestarting: boolean;
  failure: unknown;
  /** The supervisor is ending it. */
  isStopping: boolean;
  /** How often it was restarted. */
  restarts: number;
  /** Time of its last restart; milliseconds since 1970, null before the first one. */
  restartedAt: number | null;
  /** The end of its shutdown time, or the next attempt to start it. */
  timer: unknown;
}

/** What starting and stopping children needs of their supervisor. */
export interface Keeper {
  readonly self: AnyActorRef;
  readonly clock: Clock;
  /** XState lets only the parent's own scope stop a child. */
  stopChild(ref: AnyActorRef): void;
}

/** An event by which a supervisor reminds itself of a child. */
export interface ChildEvent {
  readonly type: "supervisor.child_timeout" | "supervisor.child_stopped" | "supervisor.try_again";
  readonly child: Child;
  /** The actor concerned; the child may have another one by now. */
  readonly ref: AnyActorRef | undefined;
}

/** A child that has not been started. */
export function newChild(spec: ChildSpec): Child {
  return {
    spec,
    ref: undefined,
    isRestarting: false,
    failure: undefined,
    isStopping: false,
    restarts: 0,
    restartedAt: null,
    timer: undefined,
  };
}

/**
 * Starts a child's actor; its init has run when this returns.
 * @throws the error of its init, or GenApiError `already_started` if its name is taken
 */
function start(keeper: Keeper, child: Child): AnyActorRef {
  const { id, name, logic, input } = child.spec;
  const { self } = keeper;
  refuseTakenName(keeper, child);
  const options = name === undefined ? {} : { systemId: name };
  const ref: AnyActorRef = createActor(contain(logic), { ...options, id, input, parent: self, src: id });
  startActor(ref);
  const exit = exitOf(ref);
  if (typeof exit === "object") throw exit.error;
  child.ref = ref;
  child.isRestarting = false;
  child.failure = undefined;
  if (childStart.active) {
    childStart.emit({ system_time: keeper.clock.systemTime() }, namesOf(keeper, child));
  }
  return ref;
}

/**
 * Restarts a child. If that fails, it is retried in a turn of its own: a child that can never start must not block the
 * process.
 * @returns whether it started
 */
export function restart(keeper: Keeper, child: Child): boolean {
  try {
    start(keeper, child);
  } catch (error) {
    child.isRestarting = true;
    child.failure = error;
    remind(keeper, child, "supervisor.try_again", 0);
    return false;
  }
  child.restarts += 1;
  child.restartedAt = keeper.clock.systemTime();
  return true;
}

/**
 * Starts a child for the first time.
 * @throws GenApiError `already_started` if its name is taken, otherwise `failed` with the error of its init as cause
 */
export function startAsked(keeper: Keeper, child: Child): AnyActorRef {
  refuseTakenName(keeper, child);
  try {
    return start(keeper, child);
  } catch (thrown) {
    const cause = toError(thrown);
    throw libraryError("failed", `The child "${child.spec.id}" did not start: ${cause.message}`, { cause });
  }
}

function refuseTakenName({ self }: Keeper, { spec: { id, name } }: Child): void {
  if (name === undefined || self.system.get(name) === undefined) return;
  throw libraryError("already_started", `The name "${name}" of child "${id}" is taken by a living actor`);
}

/** Reports that a supervisor rests for `ms` milliseconds instead of giving up for `error`. */
export function reportRest({ self, clock }: Keeper, ms: number, error: Error): void {
  if (!rest.active) return;
  const { program } = contextOf(self);
  rest.emit({ system_time: clock.systemTime(), rest_ms: ms }, { program, supervisor: self.id, error });
}

/** Emits the event that `child` is being restarted, with the number of restarts in the period. */
export function reportRestart(keeper: Keeper, child: Child, restartsInPeriod: number): void {
  if (!childRestart.active) return;
  childRestart.emit({ restarts_in_period: restartsInPeriod }, namesOf(keeper, child));
}

/** Asks a child to end, or forces it, according to its shutdown; has no effect on a dead one. */
export function stop(keeper: Keeper, child: Child): void {
  child.isStopping = true;
  child.isRestarting = false;
  clearTimer(keeper, child);
  const { ref } = child;
  if (ref === undefined || !isAlive(ref)) return;
  const shutdown = shutdownOf(child.spec);
  if (shutdown === "brutal_kill") {
    forceStop(keeper, child);
    return;
  }
  ref.send(shutdownEvent);
  if (shutdown !== "infinity" && isAlive(ref)) remind(keeper, child, "supervisor.child_timeout", shutdown);
}

/** Stops a child without asking. */
function forceStop(keeper: Keeper, child: Child): void {
  clearTimer(keeper, child);
  const { ref } = child;
  if (ref === undefined || !isAlive(ref)) return;
  markExit(ref, "killed");
  keeper.stopChild(ref);
  if (!isAlive(ref)) return;
  // The child is in the middle of a handler further up this stack; it stops when that returns.
  const stopped = () => keeper.self.send({ type: "supervisor.child_stopped", child, ref } satisfies ChildEvent);
  ref.subscribe({ complete: stopped, error: stopped });
}

/** Sends the supervisor an event about `child` after `ms` milliseconds, unless its timer is cleared. */
function remind(keeper: Keeper, child: Child, type: ChildEvent["type"], ms: number): void {
  const { ref } = child;
  child.timer = keeper.clock.setTimeout(() => {
    child.timer = undefined;
    keeper.self.send({ type, child, ref } satisfies ChildEvent);
  }, ms);
}

function clearTimer(keeper: Keeper, child: Child): void {
  if (child.timer === undefined) return;
  keeper.clock.clearTimeout(child.timer);
  child.timer = undefined;
}

/** A child's names in telemetry. */
function namesOf({ self }: Keeper, { spec }: Child) {
  return { program: contextOf(self).program, supervisor: self.id, child: spec.id };
}

/** If the child's actor has ended, forgets the actor and returns why it ended. */
export function takeExit(keeper: Keeper, child: Child): ExitReason | undefined {
  const { ref } = child;
  const reason = ref === undefined ? undefined : exitOf(ref);
  if (reason === undefined) return undefined;
  child.ref = undefined;
  child.isStopping = false;
  clearTimer(keeper, child);
  if (childExit.active) {
    const error = typeof reason === "object" ? reason.error : null;
    childExit.emit(
      { system_time: keeper.clock.systemTime() },
      {
        ...namesOf(keeper, child),
        reason: typeof reason === "object" ? "error" : reason,
        error,
      },
    );
  }
  return reason;
}

/** Forces a child whose shutdown time is over, unless it has ended meanwhile. */
export function handleTimeout(keeper: Keeper, { child, ref }: ChildEvent): void {
  if (child.isStopping && child.ref === ref) forceStop(keeper, child);
}

/** Stops all children at once, the last started first; with `asksFirst` by asking (`stop`). */
export function stopAllNow(keeper: Keeper, children: Iterable<Child>, asksFirst: boolean): void {
  for (const child of [...children].reverse()) {
    if (asksFirst) stop(keeper, child);
    forceStop(keeper, child);
    takeExit(keeper, child);
  }
}

/** The error of a supervisor that gives up, with the last child's error as cause. */
export function maxRestartsError(keeper: Keeper, child: Child, failure: unknown, intensity: Intensity): Error {
  const last = failure === undefined ? "" : `: ${toError(failure).message}`;
  return libraryError(
    "max_restarts",
    `The supervisor "${keeper.self.id}" gave up after more than ${intensity.maxRestarts} restarts within ` +
      `${intensity.withinMs} ms; the last to end was its child "${child.spec.id}"${last}`,
    failure === undefined ? {} : { cause: failure },
  );
}

/** The error that explains a child's end, if there is one. */
export function errorOfExit(reason: ExitReason): Error | undefined {
  return typeof reason === "object" ? reason.error : undefined;
}

/** @throws GenApiError `invalid_option` for a child that cannot be significant below this supervisor */
export function refuseSignificant({ self }: Keeper, spec: ChildSpec, autoShutdown: AutoShutdown | "dynamic"): void {
  const fault = significanceFault(spec, autoShutdown);
  if (fault === null) return;
  throw libraryError("invalid_option", `The child spec "${spec.id}" for the supervisor "${self.id}": ${fault}`);
}

/** The error for a child id that is taken. */
export function takenError(keeper: Keeper, id: string): Error {
  return libraryError("already_started", `The supervisor "${keeper.self.id}" has a child "${id}" already`);
}

/** The error for an unknown child id. */
export function unknownError(keeper: Keeper, id: string): Error {
  return libraryError("not_found", `The supervisor "${keeper.self.id}" has no child "${id}"`);
}
