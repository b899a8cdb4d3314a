import type { PushTarget } from "./push-targets.ts";

/** Options of a broadcast. */
export interface BroadcastOptions {
  /** Whose sockets do not get it, usually those of the user who caused it. */
  readonly except?: PushTarget;
}

/** Options of a push to one user. */
export interface PushOptions {
  /**
   * The topic on which each socket gets it: an exact one, or the start of some, `"room:*"`; of several, the one that the
   * socket joined first. @default any topic
   */
  readonly topic?: string;
}
