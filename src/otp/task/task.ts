import { mustTake } from "../../core/argument.ts";
import { libraryError } from "../../core/errors.ts";
import { hasAborted, isAbortSignal, listen, stopListening } from "../../core/foreign/abort-signal.ts";
import { clockOf, isActor, supervisorOf } from "../checks/actors.ts";
import { checkOptions, count, fields, flag, fun, millisecondsOrInfinity, must, optional } from "../checks/faults.ts";
import type { SupervisorRef } from "../logic.ts";
import { demonitor, monitor } from "../monitor.ts";
import { startChild } from "../supervisor.ts";
import { type AsyncStreamOptions, asyncStream } from "./async-stream.ts";
import { RunningTask, taskLogic } from "./running-task.ts";
import type { TaskOptions, TaskScope } from "./task-options.ts";

/** Marks types only. */
declare const comesTo: unique symbol;

/**
 * A task that was started, as `Task.await` takes it.
 *
 * @example
 * const task: Task<number> = Task.async(system.whereis("tasks"), async () => 42);
 * await Task.await(task); // 42
 */
export interface Task<Result> {
  /** Its id below its supervisor. */
  readonly id: string;
  /** What it comes to. */
  readonly [comesTo]: Result;
}

let started = 0;

const taskOptions = {
  caller: optional(must("the reference of an actor", isActor)),
  signal: optional(must("an AbortSignal", isAbortSignal)),
};
const isRun = fields({ run: fun });
const isStart = fields(taskOptions);
const isWait = fields({ timeoutMs: millisecondsOrInfinity });
const isSource = fields({ items: must("a list, or what can be iterated over", isIterable), run: fun });
const isStream = fields({
  ...taskOptions,
  maxConcurrency: optional(count(1)),
  ordered: optional(flag),
  timeoutMs: optional(millisecondsOrInfinity),
});

function start<Result>(
  supervisor: SupervisorRef | undefined,
  run: (scope: TaskScope) => Result | PromiseLike<Result>,
  options: TaskOptions = {},
): Task<Awaited<Result>> {
  checkOptions("Task.async", { run }, isRun);
  const { caller, signal } = checkOptions("Task.async", options, isStart);
  supervisorOf("Task.async", supervisor);
  started += 1;
  const task = new RunningTask(`task_${started}`, clockOf("Task.async", supervisor), run);
  if (signal !== undefined) {
    const aborted = () => task.cancel(libraryError("cancelled", `The task "${task.id}" was cancelled by its signal`));
    if (hasAborted(signal)) aborted();
    listen(signal, aborted);
    task.whenOver(() => stopListening(signal, aborted));
  }
  if (caller !== undefined) {
    const gone = `The task "${task.id}" was cancelled, for its caller "${caller.id}" has ended`;
    const watch = monitor(caller, () => task.cancel(libraryError("cancelled", gone)));
    task.whenOver(() => demonitor(watch));
  }
  if (!task.isOver) {
    const spec = { id: task.id, logic: taskLogic, input: task, restart: "temporary" } as const;
    startChild(supervisor, spec).catch((error: unknown) => task.fail(error));
  }
  return task as unknown as Task<Awaited<Result>>;
}

function taskOf(what: string, task: unknown): RunningTask {
  mustTake(what, "a task, as Task.async returns it", task, (value) => value instanceof RunningTask);
  return task as RunningTask;
}

async function wait<Result>(task: Task<Result>, timeoutMs: number | "infinity" = 5_000): Promise<Result> {
  const running = taskOf("Task.await", task);
  checkOptions("Task.await", { timeoutMs }, isWait);
  if (timeoutMs !== "infinity" && !running.isOver) {
    const late = libraryError("timeout", `The task "${running.id}" was not done within ${timeoutMs} ms`);
    const timer = running.clock.setTimeout(() => running.cancel(late), timeoutMs);
    running.whenOver(() => running.clock.clearTimeout(timer));
  }
  return running.outcome as Promise<Result>;
}

/** Tasks: functions that run below a supervisor, and are awaited. */
interface Tasks {
  /**
   * Starts a task below a dynamic supervisor, its task supervisor (`Task.Supervisor.async_nolink/3`). It is ended, its
   * signal aborted, when its supervisor ends, its caller does, or nobody waits any longer. Its failure rejects whoever
   * awaits it, is told in telemetry as its actor's end, and harms nobody else.
   *
   * @throws GenApiError `invalid_option`, `invalid_request`; when it does not start, `Task.await` rejects with the reason
   */
  async: typeof start;
  /**
   * What the task comes to (`Task.await/2`).
   *
   * @param timeoutMs how long to wait; then the task is ended, as it is when its caller in Elixir gives up. @default 5000
   * @throws (as a rejection) what its function threw; GenApiError `timeout`; `cancelled` when it was ended before; why it
   * did not start: `noproc` without its supervisor, `unavailable` with `maxChildren`
   */
  await: typeof wait;
  /** Ends the task, if it is not over (`Task.shutdown/1`). Whoever awaits it gets a GenApiError `cancelled`. */
  shutdown(task: Task<unknown>): void;
  /**
   * Runs a function for every item, each in a task of its own, at most `maxConcurrency` at a time, and gives what they
   * come to (`Task.Supervisor.async_stream_nolink/4`). An item is taken only when its task can start, and no more than
   * `maxConcurrency` are started and not given yet. Leaving the loop ends what still runs.
   *
   * @throws GenApiError `invalid_option`; in the loop what the items themselves threw, and `cancelled` when its signal
   * aborts or its caller ends
   */
  asyncStream<Item, Result>(
    supervisor: SupervisorRef | undefined,
    items: Iterable<Item> | AsyncIterable<Item>,
    run: (item: Item, scope: TaskScope) => Result | PromiseLike<Result>,
    options?: AsyncStreamOptions,
  ): AsyncGenerator<PromiseSettledResult<Awaited<Result>>, void, void>;
}

/**
 * Tasks (`Task`): functions that run below a supervisor of their own, and are awaited.
 *
 * @example
 * const tasks = system.whereis("tasks"); // a dynamic supervisor
 * const page = Task.async(tasks, ({ signal }) => pageOf("https://example.com", { signal }));
 * await Task.await(page, 1000);
 *
 * const urls = ["https://example.com/1", "https://example.com/2"];
 * for await (const result of Task.asyncStream(tasks, urls, (url, scope) => pageOf(url, scope), { maxConcurrency: 4 })) {
 *   if (result.status === "fulfilled") console.log(result.value);
 * }
 */
export const Task: Tasks = {
  async: start,
  await: wait,
  shutdown(task) {
    const running = taskOf("Task.shutdown", task);
    running.cancel(libraryError("cancelled", `The task "${running.id}" was shut down`));
  },
  asyncStream(supervisor, items, run, options = {}) {
    checkOptions("Task.asyncStream", { items, run }, isSource);
    const checked = checkOptions("Task.asyncStream", options, isStream);
    supervisorOf("Task.asyncStream", supervisor);
    return asyncStream({
      items,
      options: checked,
      start: (item) => {
        const { caller, signal } = checked;
        const task = start(supervisor, (scope) => run(item, scope), {
          ...(caller === undefined ? {} : { caller }),
          ...(signal === undefined ? {} : { signal }),
        });
        return { outcome: wait(task, checked.timeoutMs), end: () => Task.shutdown(task) };
      },
    });
  },
};

function isIterable(value: unknown): boolean {
  const { [Symbol.iterator]: each, [Symbol.asyncIterator]: eachAsync } = Object(value) as Record<symbol, unknown>;
  return typeof each === "function" || typeof eachAsync === "function";
}
