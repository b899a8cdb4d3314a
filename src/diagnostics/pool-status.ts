import type { Pool } from "../worker/worker-pool.actor.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";

/** A program's pools by what they run. */
export interface Pools {
  readonly async: Pick<Pool, "status">;
  readonly stream: Pick<Pool, "status">;
}

/** The current state of a pool; one that is being restarted is "closed". */
export function poolStatus(pools: Pools, kind: keyof Pools): WorkerPoolStatus {
  const closed = { name: `${kind}_pool`, state: "closed", openCircuits: [], ...noCalls } as const;
  return pools[kind].status() ?? closed;
}

const noNested = { nestedInFlight: 0, nestedQueued: 0 };
const noThreads = { threads: 0, readyThreads: 0, oldThreads: 0 };
const noCalls = { ...noThreads, ...noNested, inFlight: 0, queued: 0, maxInFlight: 0, maxQueueSize: 0 };
