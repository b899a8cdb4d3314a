import type { Status } from "../actor/inspection/format-status.ts";
import { fromResource } from "../actor/resource.ts";
import { type SupervisorRef, startChild } from "../actor/supervisor/supervisor-requests.ts";
import { messageOf, toError } from "../core/errors.ts";

/** The part of a session that its actor needs. */
export interface OwnedSession {
  /** Resolves when its pipe has ended. */
  readonly ended: Promise<void>;
  /** Ends it and its pipe. */
  close(reason: string): void;
  /** What inspectors see of it. */
  formatStatus(): Status;
}

/** A session as part of the tree: it ends when its pipe has ended, and closes its pipe when it is ended. */
const sessionActor = fromResource<OwnedSession>(({ input: session, finish }) => {
  void session.ended.then(finish);
  return { close: () => session.close("the session was stopped"), formatStatus: () => session.formatStatus() };
});

/**
 * Starts a session under a dynamic supervisor. A session that cannot be started is closed.
 *
 * @param id unique among the supervisor's children
 */
export function startSession(supervisor: SupervisorRef | undefined, id: string, session: OwnedSession): void {
  const spec = { id, logic: sessionActor, input: session, restart: "temporary" } as const;
  startChild(supervisor, spec).catch((thrown) => session.close(messageOf(toError(thrown))));
}
