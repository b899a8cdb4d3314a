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

/**
 * Whether a supervisor ends when significant children have ended by themselves, and are not started again: after the
 * first of them, after the last of them, or `never`.
 */
export type AutoShutdown = "never" | "any_significant" | "all_significant";

/** How many restarts in how long a supervisor bears before it gives up and fails itself. */
export interface Intensity {
  /** So many restarts are made; one more within the time ends the supervisor. */
  readonly maxRestarts: number;
  /** Within this time, milliseconds. */
  readonly withinMs: number;
}

/** Three restarts in five seconds, as in Elixir's `Supervisor` (Erlang's own `supervisor` allows one). */
export const defaultIntensity: Intensity = { maxRestarts: 3, withinMs: 5000 };
