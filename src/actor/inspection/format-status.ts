import type { Behaviour } from "./inspection.ts";

/**
 * What an actor shows to inspectors (OTP's `format_status`): a little plain data without secrets: no credentials, no
 * arguments, nothing that a client or a function sent. Without it, inspectors see only the actor's id and status.
 */
export type Status = Readonly<Record<string, unknown>>;

/** A logic that can describe its actors to inspectors. */
export interface Inspectable {
  readonly behaviour?: Behaviour;
  formatStatus?(snapshot: never): Status;
}

/** Adds `formatStatus` to a logic of XState's own, typically a machine. */
export function withStatus<Logic extends { transition(...given: never): unknown }>(
  logic: Logic,
  formatStatus: (snapshot: ReturnType<Logic["transition"]>) => Status,
): Logic {
  return Object.assign(logic, { formatStatus });
}
