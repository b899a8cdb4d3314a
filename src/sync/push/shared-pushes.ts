import type { AcceptedPush } from "./push.ts";

/** Receives what other gateways shared, or this one before its restart. */
export interface SharedPushesReceiver {
  /** A push that a gateway accepted, including this gateway's own. Its signature was checked, its content was not. */
  shared(push: AcceptedPush): void;
  /** A gateway, possibly this one, withdrew the node's push for the service. */
  removed(service: string, node: string): void;
  /** For a day no gateway has vouched for the node's push. */
  orphaned(service: string, node: string): void;
  /** An entry that cannot be trusted or read was ignored. */
  refused(key: string, problem: string): void;
  /** Everything that was there when this connection began, or after {@link unread}, has been reported. */
  read(): void;
  /** What is there cannot be read now, until {@link read}: `problem` says why, for people. */
  unread(problem: string): void;
}

/** A place where gateways keep accepted pushes, for each other and for their own next start. */
export interface SharedPushes {
  /** How long a starting gateway waits for {@link SharedPushesReceiver.read} before it admits clients, milliseconds. */
  readonly readTimeoutMs: number;
  /** Reports everything that is there, then every change, until the endpoint closes; again after a lost connection. */
  watch(receiver: SharedPushesReceiver): void;
  /** Stores a push, unless exactly this one is there. Retries until it succeeds, a newer one comes, or the end. */
  put(push: AcceptedPush): void;
  /**
   * Withdraws the node's push: what this gateway knows to be there, and nothing that came since.
   * @returns whether nothing is there any more; false if this must be decided again, because the connection was lost
   * meanwhile or another gateway has put something else
   */
  remove(service: string, node: string): Promise<boolean>;
}
