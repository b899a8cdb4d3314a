import type { Child } from "./child.ts";
import type { Strategy } from "./child-spec.ts";
import type { Status } from "./format-status.ts";
import { statusOf } from "./supervisor-requests.ts";

// Of a supervisor with many children inspectors see the oldest.
const maxShown = 20;

/** What inspectors see of a supervisor: how many children it has, and how they do. */
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
