import type { ExitReason } from "../lifecycle/exit.ts";
import type { AutoShutdown, ChildSpec, Intensity, RestartType, Strategy } from "./child-spec.ts";

/** Whether a child with this restart type is restarted after ending for `reason`. */
export function shouldRestart(restart: RestartType, reason: ExitReason): boolean {
  switch (restart) {
    case "permanent":
      return true;
    case "transient":
      return reason !== "normal" && reason !== "shutdown";
    case "temporary":
      return false;
  }
}

/** The ids, out of `order` from first to last started, to be stopped and restarted together with child `id`. */
export function affectedChildren(strategy: Strategy, order: readonly string[], id: string): readonly string[] {
  switch (strategy) {
    case "one_for_one":
      return [id];
    case "one_for_all":
      return order;
    case "rest_for_one":
      return order.slice(order.indexOf(id));
  }
}

/**
 * Whether a supervisor ends because this child ended by itself, and is not started again. `others` live, or will
 * (Erlang's `supervisor:do_auto_shutdown/2`).
 */
export function endsSupervisor(autoShutdown: AutoShutdown, ended: ChildSpec, others: Iterable<ChildSpec>): boolean {
  if (autoShutdown === "never" || ended.significant !== true) return false;
  if (autoShutdown === "all_significant") for (const { significant } of others) if (significant === true) return false;
  return true;
}

/**
 * Adds a restart at `now` to the `times` of earlier ones, oldest first, and drops those outside the period. `exceeded`
 * if there are now more than allowed (Erlang's `supervisor:add_restart/1`).
 */
export function addRestart(
  times: readonly number[],
  now: number,
  { maxRestarts, withinMs }: Intensity,
): { readonly times: readonly number[]; readonly exceeded: boolean } {
  const firstKept = times.findIndex((time) => now - time <= withinMs);
  const kept = firstKept === -1 ? [now] : [...times.slice(firstKept), now];
  return { times: kept, exceeded: kept.length > maxRestarts };
}
