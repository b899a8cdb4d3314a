import type { Status } from "../inspection/format-status.ts";
import type { Child } from "./child.ts";
import type { Strategy } from "./child-spec.ts";
import { statusOf } from "./supervisor-requests.ts";

// Inspectors see the oldest children of a large supervisor.
const maxShown = 20;

/** What inspectors see of a supervisor: the number of its children and their states. */
export function supervisorStatus(
  strategy: Strategy,
  supervised: ReadonlyMap<string, Child>,
  restarts: readonly number[],
): Status {
  const children: object[] = [];
  for (const child of supervised.values()) {
    if (children.length === maxShown) break;
    children.push({ id: child.spec.id, status: statusOf(child), restarts: child.restarts });
  }
  return { strategy, restartsInPeriod: restarts.length, count: supervised.size, children };
}
