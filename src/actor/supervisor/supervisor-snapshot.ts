import type { AnyActorRef, Snapshot } from "xstate";
import type { Child } from "./child.ts";

/** The snapshot of a supervisor. */
export type SupervisorSnapshot = Snapshot<undefined> & {
  /** Its children in the order of their start. */
  readonly supervised: ReadonlyMap<string, Child>;
  /** The living ones by id, where XState and its inspectors look for them; created on demand. */
  readonly children: Readonly<Record<string, AnyActorRef>>;
};

/** The snapshot of a supervisor with these children, which stays the same object while the supervisor is active. */
export function supervisorSnapshot(supervised: ReadonlyMap<string, Child>): SupervisorSnapshot {
  return {
    status: "active",
    output: undefined,
    error: undefined,
    supervised,
    get children() {
      const living: Record<string, AnyActorRef> = {};
      for (const [id, { ref }] of supervised) if (ref !== undefined) living[id] = ref;
      return living;
    },
  };
}

/** How a supervisor ends: on request, or because it gave up. */
export type End = { readonly status: "done" } | { readonly status: "error"; readonly error: Error };

/** The snapshot of a supervisor that ended in this way. */
export function endedSnapshot<Current extends SupervisorSnapshot>(snapshot: Current, end: End): Current {
  return { ...snapshot, ...end };
}
