import type { WorkerPoolStatus } from "../../worker/worker-pool-options.ts";
import type { CallTarget } from "../functions/compile-function.ts";
import { counted } from "./words.ts";

/** What a pool would do with a call. */
export interface PoolPlace {
  readonly isRefused: boolean;
  /** Whether it would wait behind others until a place is free. */
  readonly isWaiting: boolean;
  /** For people. */
  readonly summary: string;
  /** For programs: the facts behind the decision. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Decides, as the pool itself would, whether it takes a call of `target` now. */
export function placeIn(pool: WorkerPoolStatus, target: CallTarget): PoolPlace {
  const { name, state, inFlight, maxInFlight, queued, maxQueueSize } = pool;
  const circuit = pool.openCircuits.find(
    ({ module, moduleName, function: name }) =>
      module === target.module && moduleName === target.moduleName && name === target.function,
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
