import type { AcceptedPush } from "./push.ts";

/** Who hears what other gateways, or this one before its restart, shared. */
export interface SharedPushesReceiver {
  /** A push that a gateway accepted; also this gateway's own. Its signature was checked, its content was not. */
  shared(push: AcceptedPush): void;
  /** A gateway took back what the node had pushed for the service. */
  removed(service: string, node: string): void;
  /** An entry that cannot be trusted or read was left out. */
  refused(key: string, problem: string): void;
}

/** A place where gateways keep the pushes that they accepted, for each other and for their own next start. */
export interface SharedPushes {
  /** Everything that is there, then every change, until the endpoint closes; again after a lost connection. */
  watch(receiver: SharedPushesReceiver): void;
  /** Keeps a push, unless exactly it is there already. Retried until it succeeds, a newer one comes, or the end. */
  put(push: AcceptedPush): void;
  remove(service: string, node: string): void;
}
