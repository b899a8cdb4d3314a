import type { AnyActorLogic, InputFrom } from "xstate";

/**
 * Whether a child that ended is started again: `permanent` always, `transient` after an abnormal end only (an error or
 * a kill), `temporary` never, and its spec is forgotten (Erlang's `supervisor`, "restart").
 */
export type RestartType = "permanent" | "transient" | "temporary";

/**
 * How a child is stopped: at once, or by the event `actor.shutdown` and, if it has not ended after so many
 * milliseconds, at once; `infinity` waits for as long as it takes.
 */
export type Shutdown = "brutal_kill" | number | "infinity";

/**
 * Who is restarted when one child ends: itself, all children, or itself and those started after it.
 */
export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one";

/** How many restarts in how long a supervisor bears before it gives up and fails itself. */
export interface Intensity {
  readonly maxRestarts: number;
  readonly withinMs: number;
}

/** Three restarts in five seconds, as in Elixir's `Supervisor` (Erlang's own `supervisor` allows one). */
export const defaultIntensity: Intensity = { maxRestarts: 3, withinMs: 5000 };

/** What a supervisor needs to start, restart and stop a child. */
export interface ChildSpec<Logic extends AnyActorLogic = AnyActorLogic> {
  /** Unique among the supervisor's children; must not look like a whole number. */
  readonly id: string;
  readonly logic: Logic;
  /** What the logic's init receives, at every restart the same. */
  readonly input?: InputFrom<Logic>;
  /** Registered in the system while the child lives; `whereis(name)` finds it. @default none */
  readonly name?: string;
  /** @default "permanent" */
  readonly restart?: RestartType;
  /** @default 5000 for a worker, "infinity" for a supervisor */
  readonly shutdown?: Shutdown;
  /** @default "supervisor" for the logic of a supervisor, else "worker" */
  readonly type?: "worker" | "supervisor";
}

/** Checks a spec's input against its logic, which a list of specs of different logics cannot. */
export function childSpec<Logic extends AnyActorLogic>(spec: ChildSpec<Logic>): ChildSpec {
  return spec as ChildSpec;
}

/** The shutdown of a spec, or the default of its type. */
export function shutdownOf(spec: ChildSpec): Shutdown {
  return spec.shutdown ?? (typeOf(spec) === "supervisor" ? "infinity" : 5000);
}

/** The type of a spec, or what its logic says. */
export function typeOf(spec: ChildSpec): "worker" | "supervisor" {
  return spec.type ?? ("isSupervisor" in spec.logic ? "supervisor" : "worker");
}
