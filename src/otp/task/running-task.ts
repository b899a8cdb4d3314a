import { libraryError } from "../../core/errors.ts";
import { settle } from "../../core/foreign/thenable.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { ActorRef } from "../actor-ref.ts";
import { kill } from "../actor-ref.ts";
import { fromResource } from "../resource.ts";

/** A task's function, and what came of it: one outcome, whoever is first to say so. */
export class RunningTask {
  readonly id: string;
  readonly clock: Clock;
  /** Resolves or rejects with the outcome. */
  readonly outcome: Promise<unknown>;
  /** Its actor, once it has one. */
  ref: ActorRef | undefined;
  isOver = false;
  readonly run: (scope: { readonly signal: AbortSignal }) => unknown;
  readonly #releases: (() => void)[] = [];
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;

  constructor(id: string, clock: Clock, run: RunningTask["run"]) {
    this.id = id;
    this.clock = clock;
    this.run = run;
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A task that nobody awaits may fail: its supervisor reports that.
    this.outcome.catch(() => undefined);
  }

  succeed(value: unknown): void {
    if (this.#end()) this.#resolve(value);
  }

  fail(error: unknown): void {
    if (this.#end()) this.#reject(error);
  }

  /** Gives the task up: whoever awaits it gets `error`, and its function is told by its signal. */
  cancel(error: Error): void {
    this.fail(error);
    kill(this.ref);
  }

  /** Has `release` run when the task is over. */
  whenOver(release: () => void): void {
    if (this.isOver) release();
    else this.#releases.push(release);
  }

  #end(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    for (const release of this.#releases.splice(0)) release();
    return true;
  }
}

/** The actor of a task: it lives for as long as the task's function runs, or until it is ended. */
export const taskLogic = fromResource<RunningTask>(({ input: task, self, fail, finish }) => {
  const controller = new AbortController();
  const { signal } = controller;
  task.ref = self;
  // It was given up before its supervisor came to it.
  if (task.isOver) finish();
  else {
    const failed = (error: unknown) => {
      // What fails because it was told to stop has not crashed.
      const isCrash = !task.isOver;
      task.fail(error);
      if (isCrash) fail(error);
    };
    const begin = () => {
      if (signal.aborted) return;
      try {
        settle(
          task.run({ signal }),
          (value) => {
            task.succeed(value);
            finish();
          },
          failed,
        );
      } catch (error) {
        failed(error);
      }
    };
    // In a turn of its own: whoever starts a task goes on first.
    queueMicrotask(begin);
  }
  return () => {
    task.fail(libraryError("cancelled", `The task "${task.id}" was ended before it was done`));
    controller.abort(libraryError("cancelled", `The task "${task.id}" is wanted no more`));
  };
});
