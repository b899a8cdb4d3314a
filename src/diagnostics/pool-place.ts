import type { Target } from "../call/compile-function.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import { counted } from "./stages.ts";

/** What a pool would do with a call. */
export interface PoolPlace {
  readonly isRefused: boolean;
  /** Behind others, until a place is free. */
  readonly isWaiting: boolean;
  /** For people. */
  readonly summary: string;
  /** For programs: what it was decided from. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Decides, as the pool itself would, whether it takes a call of `target` now. */
export function placeIn(pool: WorkerPoolStatus, target: Target): PoolPlace {
  const { name, state, inFlight, maxInFlight, queued, maxQueueSize } = pool;
  const circuit = pool.openCircuits.find(
    ({ module, function: fun }) => module === target.module && fun === target.function,
  );
  const circuitState = circuit === undefined ? "closed" : circuit.isRefusing ? "refusing" : "trial";
  const details = { pool: name, state, inFlight, maxInFlight, queued, maxQueueSize, circuit: circuitState };
  const refused = (summary: string): PoolPlace => ({ isRefused: true, isWaiting: false, summary, details });
  if (state !== "running") return refused(`${name} is ${state}`);
  if (inFlight >= maxInFlight && queued >= maxQueueSize) return refused(`the queue of ${name} is full`);
  if (circuitState === "refusing") return refused(`its circuit in ${name} is open`);
  const isWaiting = inFlight >= maxInFlight || queued > 0;
  const free = `a place in ${name} is free (${inFlight} of ${maxInFlight} taken)`;
  const room = isWaiting ? `it would wait in ${name} behind ${counted(queued, "call")}` : free;
  const summary = circuitState === "trial" ? `${room}; it would be its open circuit's trial` : room;
  return { isRefused: false, isWaiting, summary, details };
}
