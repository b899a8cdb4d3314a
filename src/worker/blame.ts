import type { PoolTask } from "./pool-task.ts";

/** The parts of a task that {@link blamed} needs. */
type Suspect = Pick<PoolTask, "function" | "over" | "timedOut">;

/**
 * The tasks to blame for the death of a thread. First choice is the task on its stack, if the thread's record names
 * one. Otherwise those given up since its event loop last turned, as the likelier cause. Otherwise those that had begun
 * there, provided that all are of one function: among several we cannot know which, and a client that can end threads
 * could open every circuit. Returns one task per function, because a function with many calls on the thread must not be
 * charged that many consecutive failures when a neighbour killed the thread; and none that its caller gave up for
 * another reason than a timeout.
 */
export function blamed<Task extends Suspect>(onStack: Task | null, begun: readonly Task[]): readonly Task[] {
  const givenUp = begun.filter((task) => task.over);
  const isOneFunction = new Set(begun.map((task) => task.function)).size === 1;
  const unnamed = givenUp.length > 0 ? givenUp : isOneFunction ? begun : [];
  const suspects = onStack !== null ? [onStack] : unnamed;
  // A task that timed out on the stack has been counted.
  const uncounted = suspects.filter((task) => !task.over || task.timedOut !== null);
  return [...new Map(uncounted.map((task) => [task.function, task])).values()];
}
