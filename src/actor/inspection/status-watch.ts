import type { AnyActorRef } from "xstate";
import type { Clock } from "../../core/time/clock.ts";
import { snapshotOf } from "./inspected-actor.ts";

const periodMs = 1_000;
// Actors near the root are few and the most informative. Crowds, such as connections, are sampled in turn.
const alwaysSeen = 100;
const inTurns = 400;

/**
 * Looks at the living actors once a second, for inspectors: some statuses change without an event, such as the number
 * of a listener's connections. Each time it looks at a bounded number, which always includes those near the root.
 */
export class StatusWatch {
  readonly #root: AnyActorRef;
  readonly #clock: Clock;
  readonly #look: (ref: AnyActorRef) => void;
  /** The position in the crowd where the next turn begins. */
  #turn = 0;
  #timer: unknown;

  constructor(root: AnyActorRef, clock: Clock, look: (ref: AnyActorRef) => void) {
    this.#root = root;
    this.#clock = clock;
    this.#look = look;
    this.#timer = clock.setTimeout(this.#tick, periodMs);
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  readonly #tick = (): void => {
    if (snapshotOf(this.#root)?.status !== "active") return;
    this.#timer = this.#clock.setTimeout(this.#tick, periodMs);
    for (const ref of this.#next(livingBelow(this.#root))) {
      // Looking may have ended the watch.
      if (this.#timer === null) return;
      this.#look(ref);
    }
  };

  #next(living: readonly AnyActorRef[]): readonly AnyActorRef[] {
    const crowd = living.slice(alwaysSeen);
    if (crowd.length <= inTurns) return living;
    const from = this.#turn % crowd.length;
    this.#turn = from + inTurns;
    const turn = [...crowd.slice(from, from + inTurns), ...crowd.slice(0, Math.max(0, from + inTurns - crowd.length))];
    return [...living.slice(0, alwaysSeen), ...turn];
  }
}

/** The nearest to the root first. */
function livingBelow(root: AnyActorRef): AnyActorRef[] {
  const living = [root];
  for (const ref of living) {
    const { children = {} } = (snapshotOf(ref) ?? {}) as { children?: Readonly<Record<string, AnyActorRef>> };
    for (const child of Object.values(children)) if (snapshotOf(child)?.status === "active") living.push(child);
  }
  return living;
}
