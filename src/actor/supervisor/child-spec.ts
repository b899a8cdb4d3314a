import type { AnyActorLogic, InputFrom } from "xstate";
import type { AutoShutdown, RestartType, Shutdown } from "./policy.ts";

export {
  type AutoShutdown,
  defaultIntensity,
  type Intensity,
  type RestartType,
  type Shutdown,
  type Strategy,
} from "./policy.ts";

/** What a supervisor needs to start, restart and stop a child. */
export interface ChildSpec<Logic extends AnyActorLogic = AnyActorLogic> {
  /** Unique among the supervisor's children; must not look like a whole number. */
  readonly id: string;
  readonly logic: Logic;
  /** The parameter of the logic's init, the same at every restart. */
  readonly input?: InputFrom<Logic>;
  /** The name in the system while the child lives, for `whereis(name)`. @default none */
  readonly name?: string;
  /** When to restart it. @default "permanent" */
  readonly restart?: RestartType;
  /** How to stop it. @default 5000 for a worker, "infinity" for a supervisor */
  readonly shutdown?: Shutdown;
  /** Whether its end by itself counts for its supervisor's auto-shutdown; not for permanent children. @default false */
  readonly significant?: boolean;
  /** Its kind. @default "supervisor" for the logic of a supervisor, otherwise "worker" */
  readonly type?: "worker" | "supervisor";
}

/** Checks a spec's input against its logic, which the type of a list of different specs cannot. */
export function childSpec<Logic extends AnyActorLogic>(spec: ChildSpec<Logic>): ChildSpec {
  return spec as ChildSpec;
}

/** The shutdown of a spec, or the default of its type. */
export function shutdownOf(spec: ChildSpec): Shutdown {
  return spec.shutdown ?? (typeOf(spec) === "supervisor" ? "infinity" : 5000);
}

/** The type of a spec, or that of its logic. */
export function typeOf(spec: ChildSpec): "worker" | "supervisor" {
  return spec.type ?? ("isSupervisor" in spec.logic ? "supervisor" : "worker");
}

/**
 * What is wrong with a significant child in its place, null when nothing is. In OTP, too, nobody can be significant
 * whose supervisor does not care, or who is always started again.
 */
export function significanceFault(spec: ChildSpec, supervisor: AutoShutdown | "dynamic"): string | null {
  if (spec.significant !== true) return null;
  if (supervisor === "dynamic") return "significant must be false below a dynamic supervisor, got true";
  if (supervisor === "never") {
    return 'significant must be false unless autoShutdown of its supervisor is "any_significant" or "all_significant", got true';
  }
  return (spec.restart ?? "permanent") === "permanent"
    ? 'significant must be false unless restart is "transient" or "temporary", got true'
    : null;
}
