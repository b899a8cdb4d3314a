import type { Clock } from "../core/time/clock.ts";
import type { PoolTask } from "./pool-task.ts";

/** The result of probing a thread. */
export interface ProbeResult {
  /** Whether the thread's event loop answered the ping. */
  readonly answered: boolean;
  /** Whether the thread has begun anything since the ping. */
  readonly progressed: boolean;
  /** How much later than scheduled this side checked, milliseconds. */
  readonly lateMs: number;
  readonly graceMs: number;
}

/**
 * Judges a thread. An unanswered ping alone proves nothing: the thread may be deep in a batch of calls, which its
 * progress shows, or this side's event loop, or the whole process, may have stood still.
 */
export function judgeThread({ answered, progressed, lateMs, graceMs }: ProbeResult): "alive" | "unsure" | "wedged" {
  if (answered) return "alive";
  return progressed || lateMs > graceMs / 2 ? "unsure" : "wedged";
}

/**
 * Whether any caller waits for the work of a thread whose event loop stands still.
 *
 * A caller that has given up stays in the list only until the loop turns again: the thread then sees it, and the task
 * leaves. A given-up task in the list therefore proves that the loop has not turned since; one given up long ago, whose
 * function never settles, is not in it.
 *
 * @param onStack the running task, if the thread's record names one
 * @param tasks the thread's tasks
 * @param isImporting whether it imports a module ahead of its calls, within the time for that
 */
export function isAwaited(
  onStack: Pick<PoolTask, "over"> | null,
  tasks: readonly Pick<PoolTask, "over">[],
  isImporting: boolean,
): boolean {
  // Neighbours given up meanwhile wait for it like all others.
  if (onStack !== null) return !onStack.over;
  if (isImporting) return true;
  // After an `await` the thread cannot tell whose code runs.
  return tasks.length > 0 && !tasks.some(({ over }) => over);
}

/** The parts of a thread that {@link WedgeWatch} uses. */
export interface Watched {
  /** Asks the thread's event loop to write `number` to its pong cell. */
  ping(number: number): void;
  readonly pong: number;
  readonly progress: number;
}

/** Finds out whether a thread's event loop still turns. */
export class WedgeWatch {
  readonly #thread: Watched;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #judged: (verdict: "alive" | "wedged") => void;
  #pings = 0;
  #timer: unknown = null;
  #progress = 0;
  #lookAt = 0;

  /** @param judged receives each verdict */
  constructor(thread: Watched, clock: Clock, graceMs: number, judged: (verdict: "alive" | "wedged") => void) {
    this.#thread = thread;
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#judged = judged;
  }

  /**
   * Pings the thread and judges it after the grace time, unless it still owes the answer to a ping. An answered one does
   * not count: what holds the thread may have begun behind it.
   */
  probe(): void {
    if (this.#timer !== null && this.#thread.pong !== this.#pings) return;
    this.stop();
    this.#pings = (this.#pings + 1) | 0;
    this.#thread.ping(this.#pings);
    this.#wait();
  }

  stop(): void {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #wait(): void {
    this.#progress = this.#thread.progress;
    this.#lookAt = this.#clock.now() + this.#graceMs;
    this.#timer = this.#clock.setTimeout(() => this.#look(), this.#graceMs);
  }

  #look(): void {
    this.#timer = null;
    const verdict = judgeThread({
      answered: this.#thread.pong === this.#pings,
      progressed: this.#thread.progress !== this.#progress,
      lateMs: this.#clock.now() - this.#lookAt,
      graceMs: this.#graceMs,
    });
    if (verdict === "unsure") this.#wait();
    else this.#judged(verdict);
  }
}
