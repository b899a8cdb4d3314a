import type { RunningNested } from "../execution/call-carrier.ts";
import type { WorkerTarget } from "../execution/worker-call.ts";
import type { NestedEntry } from "./thread/thread-protocol.ts";

/** How many nested calls a pool with this many places holds; of further ones the newest are refused. */
export function mostNested(places: number): number {
  return Math.max(1_024, 4 * places);
}

/** Sends a Response to a nested call's thread; null: the call is not wanted. */
type Respond = (number: number, response: string | null, isLast: boolean) => void;

/** The task whose function makes calls. */
interface OuterTask {
  readonly target: WorkerTarget;
  /** Whether its caller no longer waits. */
  readonly over: boolean;
}

/** The calls that one task's function makes of others, from the pool's side. */
export class NestedTasks {
  readonly #task: OuterTask;
  readonly #respond: Respond;
  readonly #running = new Map<number, RunningNested>();

  constructor(task: OuterTask, respond: Respond) {
    this.#task = task;
    this.#respond = respond;
  }

  start([number, service, requestType, args, version, timeoutMs, isStream]: NestedEntry): void {
    const { target, over } = this.#task;
    // The thread will see that the function is over.
    if (over || target.carry === undefined) {
      this.#respond(number, null, true);
      return;
    }
    let isOver = false;
    const onResponse = (response: string, isLast: boolean): void => {
      isOver ||= isLast;
      if (isLast) this.#running.delete(number);
      this.#respond(number, response, isLast);
    };
    const running = target.carry({ service, requestType, args, version, timeoutMs, isStream }, { onResponse });
    if (!isOver) this.#running.set(number, running);
  }

  cancel(number: number): void {
    this.#running.get(number)?.cancel();
  }

  grant(number: number, chunks: number): void {
    this.#running.get(number)?.grant(chunks);
  }
}

/** Whether a thread, on which user code runs, sent a {@link NestedEntry}. */
export function isNestedEntry(value: unknown): value is NestedEntry {
  if (!Array.isArray(value) || value.length !== 7) return false;
  const [number, service, requestType, args, version, timeoutMs, isStream] = value;
  return (
    typeof number === "number" &&
    typeof service === "string" &&
    typeof requestType === "string" &&
    typeof args === "string" &&
    (version === null || typeof version === "string") &&
    (timeoutMs === null || typeof timeoutMs === "number") &&
    typeof isStream === "boolean"
  );
}

/** Whether it sent the number of a stream, and how many of its chunks were taken. */
export function isGrant(value: unknown): value is readonly [number: number, chunks: number] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "number" && Number.isSafeInteger(value[1]);
}
