import type { Clock } from "./clock.ts";

/** Called when a deadline passes. */
export interface Expiring {
  expire(): void;
}

/** One pending deadline; pass it to {@link Deadlines.cancel} when it is no longer needed. */
export interface Deadline {
  readonly at: number;
  readonly target: Expiring;
  /** Neighbours in the queue of equal durations; null once cancelled or passed. */
  queue: Queue | null;
  previous: Deadline | null;
  next: Deadline | null;
}

interface Queue {
  readonly ms: number;
  first: Deadline | null;
  last: Deadline | null;
  timer: unknown;
}

/**
 * Many timeouts of few different durations: one queue per duration, whose deadlines pass in the order in which they
 * were set, and one timer of the clock per queue. Setting and cancelling are O(1) and touch no timer, because almost
 * every call ends before its timeout. (Node keeps its own timers in the same way; this saves the Timeout object per
 * call.)
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #queues = new Map<number, Queue>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `target.expire()` once, not before `ms` have passed. */
  after(ms: number, target: Expiring): Deadline {
    let queue = this.#queues.get(ms);
    if (queue === undefined) {
      queue = { ms, first: null, last: null, timer: undefined };
      this.#queues.set(ms, queue);
    }
    const deadline: Deadline = { at: this.#clock.now() + ms, target, queue, previous: queue.last, next: null };
    if (queue.last === null) queue.first = deadline;
    else queue.last.next = deadline;
    queue.last = deadline;
    if (queue.timer === undefined) this.#arm(queue, ms);
    return deadline;
  }

  /** Cancels a deadline; does nothing if it has already passed. */
  cancel(deadline: Deadline): void {
    const { queue, previous, next } = deadline;
    if (queue === null) return;
    if (previous === null) queue.first = next;
    else previous.next = next;
    if (next === null) queue.last = previous;
    else next.previous = previous;
    deadline.queue = null;
    deadline.previous = null;
    deadline.next = null;
  }

  /** Drops every deadline and timer. */
  close(): void {
    for (const queue of this.#queues.values()) this.#clock.clearTimeout(queue.timer);
    this.#queues.clear();
  }

  #arm(queue: Queue, ms: number): void {
    queue.timer = this.#clock.setTimeout(() => this.#expire(queue), Math.ceil(ms));
  }

  #expire(queue: Queue): void {
    queue.timer = undefined;
    const now = this.#clock.now();
    for (let first = queue.first; first !== null && first.at <= now; first = queue.first) {
      this.cancel(first);
      first.target.expire();
    }
    // An expired target may have set a new deadline of this duration, and with it the timer.
    if (queue.timer !== undefined) return;
    if (queue.first === null) this.#queues.delete(queue.ms);
    else this.#arm(queue, queue.first.at - now);
  }
}
