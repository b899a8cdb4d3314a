import type { Behaviour } from "./inspection.ts";

/**
 * What an actor says of itself to whoever looks at it (OTP's `format_status`): plain data, small, and nothing that only
 * its owner may know: no credentials, no arguments, nothing that a client or a function sent. An actor that says nothing
 * is seen by its id and status alone.
 */
export type Status = Readonly<Record<string, unknown>>;

/** What a logic can tell inspectors of its actors. */
export interface Inspectable {
  readonly behaviour?: Behaviour;
  formatStatus?(snapshot: never): Status;
}

/** Makes a logic of XState's own, a machine above all, say of its actors what `formatStatus` makes of a snapshot. */
export function withStatus<Logic extends { transition(...given: never): unknown }>(
  logic: Logic,
  formatStatus: (snapshot: ReturnType<Logic["transition"]>) => Status,
): Logic {
  return Object.assign(logic, { formatStatus });
}
