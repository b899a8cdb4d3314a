import type { PoolTask } from "./pool-task.ts";

/** What {@link blamed} needs of a task. */
type Suspect = Pick<PoolTask, "function" | "over">;

/**
 * Whose failure the death of a thread is, as far as their callers still wait: the task that was on its stack, where
 * the thread's record names one; else, unless a task whose caller gave up is the likelier cause, one of each function
 * that had begun there. One, because a function with many calls on the thread must not be taken to have failed as many
 * times in a row when a neighbour killed the thread.
 */
export function blamed<Task extends Suspect>(onStack: Task | null, begun: readonly Task[]): readonly Task[] {
  if (onStack !== null) return onStack.over ? [] : [onStack];
  if (begun.some((task) => task.over)) return [];
  return [...new Map(begun.map((task) => [task.function, task])).values()];
}
