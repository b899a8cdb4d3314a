import type { ActorRef } from "../actor-ref.ts";

/**
 * What a task's function is given.
 *
 * @example
 * const load = ({ signal }: TaskScope) => pageOf("https://example.com", { signal });
 * await Task.await(Task.async(system.whereis("tasks"), load));
 */
export interface TaskScope {
  /** Aborts when the task is ended: nobody waits for it any more, or its supervisor ends. */
  readonly signal: AbortSignal;
}

/**
 * Whom a task works for.
 *
 * @example
 * const options: TaskOptions = { caller: ref, signal: AbortSignal.timeout(1000) };
 * await Task.await(Task.async(system.whereis("tasks"), () => 1, options));
 */
export interface TaskOptions {
  /** The actor that waits for the task: when it ends, so does the task. @default nobody's end matters */
  readonly caller?: ActorRef;
  /** Ends the task when it aborts. @default nothing does */
  readonly signal?: AbortSignal;
}
