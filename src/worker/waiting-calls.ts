import { LinkedQueue } from "../core/fair/linked-queue.ts";
import type { PoolTask, TaskThread } from "./pool-task.ts";

/**
 * Calls that have their places and wait for the thread that can run them soonest, because all others would have to
 * import their module first. Sorted by module, so that no call waits behind one that cannot go on. To the pool this is
 * the thread of its calls.
 */
export class WaitingCalls implements TaskThread {
  readonly #queues = new Map<string, LinkedQueue<PoolTask>>();
  readonly current = null;

  /** The modules for which calls wait. */
  get modules(): Iterable<string> {
    return this.#queues.keys();
  }

  get tasks(): PoolTask[] {
    const tasks: PoolTask[] = [];
    for (const { first } of this.#queues.values())
      for (let task = first; task !== null; task = task.after) tasks.push(task);
    return tasks;
  }

  get isEmpty(): boolean {
    return this.#queues.size === 0;
  }

  /** Whether calls wait for this module. */
  has(module: string): boolean {
    return this.#queues.has(module);
  }

  /** The call that has waited longest for this module. */
  first(module: string): PoolTask | null {
    return this.#queues.get(module)?.first ?? null;
  }

  push(task: PoolTask): void {
    const { module } = task.function;
    const queue = this.#queues.get(module) ?? new LinkedQueue<PoolTask>();
    this.#queues.set(module, queue);
    queue.push(task);
    task.thread = this;
  }

  withdraw(task: PoolTask): boolean {
    const { module } = task.function;
    const queue = this.#queues.get(module);
    queue?.remove(task);
    if (queue?.size === 0) this.#queues.delete(module);
    task.thread = null;
    return true;
  }

  hasBegun(): boolean {
    return false;
  }

  isAloneWith(): boolean {
    return false;
  }

  cancel(): void {
    // Only for calls that have begun, as is `grant`.
  }

  grant(): void {
    // None of these streams has sent anything.
  }

  acknowledge(): void {
    // As in `grant`.
  }
}
