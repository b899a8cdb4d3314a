import type { Intensity, RestartType, Strategy } from "./child-spec.ts";
import type { ExitReason } from "./exit.ts";

/** Whether a child with this restart type is started again after ending for `reason`. */
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

/** The ids, of `order` from first to last started, that are stopped and started again when child `id` is. */
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
 * Adds a restart at `now` to the `times` of earlier ones, oldest first, and forgets those out of the period.
 * `exceeded` when there are now more than allowed (Erlang's `supervisor:add_restart/1`).
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
