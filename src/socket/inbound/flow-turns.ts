/** Work of one client that can be done in pieces. */
export interface Flow {
  /**
   * Does one small piece.
   * @returns whether more is left to do now
   */
  step(): boolean;
  /** Its state in {@link Turns}. */
  readonly turn: FlowTurn;
}

/** The place of a {@link Flow} among the others; owned by {@link Turns}. */
export class FlowTurn {
  /** The flow's owner: the flows of one identity share its turns. */
  readonly identity: string;
  /** Queued, or being served. */
  isActive = false;
  next: Flow | null = null;
  /** Its recently used time, milliseconds, and when that was computed: it decays with time. */
  usedMs = 0;
  usedAt = 0;
  /** How often it was served and used little; lower again when it uses much. */
  timesLight = 0;

  constructor(identity: string) {
    this.identity = identity;
  }
}

// How long all clients together may work before the event loop turns: timers, threads' answers and new data wait
// meanwhile.
const turnMs = 2;
// How long one client may work while others wait.
const quantumMs = 0.5;
// A client that needs less than this share of the processor does not wait for those that need more.
const lightShare = 0.1;
// A client that was served this often, and never used much, is known to be light: it does not wait for unknown ones,
// such as a thousand that ask for something large at the same time.
const timesUntilKnown = 16;
const mostTimes = 64;
// It stays known even if a step occasionally takes longer: a busy machine or a garbage collection slows down any step. It
// is charged at most this time for one, and is half as well known afterwards.
const knownQuantumMs = 4;
// Prevents starvation: a lower class is served after this many of a higher one.
const inARow = 8;

/**
 * Serves clients in turns, by time: fair queueing by classes, as in FQ-CoDel (RFC 8290). Clients known to use little go
 * first, then those that used little recently, then those that used much. In each class identities have short turns,
 * and the connections of an identity take its turns in rotation. A client that sends as fast as it can thus delays
 * itself and others like it, and hardly any others.
 */
export class Turns {
  /** Known to be light, light recently, heavy. */
  readonly #classes: readonly FlowQueue[] = [new FlowQueue(), new FlowQueue(), new FlowQueue()];
  readonly #turn = (): void => this.#serveTurn();
  #isScheduled = false;
  /** The time spent on clients in this turn of the event loop, milliseconds. */
  #spentMs = 0;

  /** A flow has work: it is done at once if this turn has time left, otherwise when it is the flow's turn. */
  ready(flow: Flow): void {
    if (flow.turn.isActive) return;
    flow.turn.isActive = true;
    const now = performance.now();
    const itsClass = classOf(flow.turn, now);
    // Not ahead of others of its class, or of a higher one.
    if (this.#spentMs < turnMs && !this.#hasWaiting(itsClass)) this.#serve(flow, now);
    else this.#classes[itsClass]?.push(flow);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#turn);
  }

  #serveTurn(): void {
    this.#isScheduled = false;
    this.#spentMs = 0;
    let now = performance.now();
    while (this.#spentMs < turnMs) {
      const flow = this.#take();
      if (flow === null) return;
      now = this.#serve(flow, now);
    }
    if (this.#hasWaiting(lastClass)) this.#schedule();
  }

  /** Whether any flow of this class or a higher one waits. */
  #hasWaiting(upTo: number): boolean {
    for (let at = 0; at <= upTo; at++) if (this.#classes[at]?.isEmpty === false) return true;
    return false;
  }

  /** The next flow: of the highest class, unless a lower one has waited long enough. */
  #take(): Flow | null {
    let found: FlowQueue | null = null;
    for (const queue of this.#classes) {
      if (queue.isEmpty) continue;
      if (found === null) found = queue;
      else if (++queue.passedOver > inARow) found = queue;
    }
    if (found === null) return null;
    found.passedOver = 0;
    return found.shift();
  }

  /** @returns when it ended: each look at the clock takes longer than a small step's own bookkeeping */
  #serve(flow: Flow, startedAt: number): number {
    let now: number;
    let hasMore: boolean;
    do {
      hasMore = flow.step();
      now = performance.now();
    } while (hasMore && now - startedAt < quantumMs);
    const { turn } = flow;
    const spentMs = now - startedAt;
    this.#spentMs += spentMs;
    charge(turn, spentMs, now);
    if (hasMore) this.#classes[classOf(turn, now)]?.push(flow);
    else turn.isActive = false;
    return now;
  }
}

const lastClass = 2;

/** Counts what a flow used when it was served. */
function charge(turn: FlowTurn, spentMs: number, now: number): void {
  const wasKnown = isKnown(turn);
  turn.usedMs = usedNow(turn, now - spentMs) + (wasKnown ? Math.min(spentMs, knownQuantumMs) : spentMs);
  turn.usedAt = now;
  const wasLight = wasKnown ? spentMs < knownQuantumMs : turn.usedMs < quantumMs;
  turn.timesLight = wasLight ? Math.min(turn.timesLight + 1, mostTimes) : turn.timesLight >> 1;
}

function classOf(turn: FlowTurn, now: number): number {
  if (usedNow(turn, now) >= (isKnown(turn) ? knownQuantumMs : quantumMs)) return lastClass;
  return isKnown(turn) ? 0 : 1;
}

function isKnown({ timesLight }: FlowTurn): boolean {
  return timesLight >= timesUntilKnown;
}

function usedNow({ usedMs, usedAt }: FlowTurn, now: number): number {
  return Math.max(0, usedMs - (now - usedAt) * lightShare);
}

/** The waiting flows of one class. */
class FlowQueue {
  /** How often a higher class was served since this one was. */
  passedOver = 0;
  /** In the order of their turns. */
  readonly #identities = new Map<string, FlowList>();

  get isEmpty(): boolean {
    return this.#identities.size === 0;
  }

  push(flow: Flow): void {
    const { identity } = flow.turn;
    let flows = this.#identities.get(identity);
    if (flows === undefined) {
      flows = new FlowList();
      this.#identities.set(identity, flows);
    }
    flows.push(flow);
  }

  /** Takes the next flow of the identity whose turn it is; that identity then goes behind all others. */
  shift(): Flow | null {
    const next = this.#identities.entries().next();
    if (next.done === true) return null;
    const [identity, flows] = next.value;
    this.#identities.delete(identity);
    const flow = flows.shift();
    if (!flows.isEmpty) this.#identities.set(identity, flows);
    return flow;
  }
}

/** First in, first out, linked through the flows themselves. */
class FlowList {
  #first: Flow | null = null;
  #last: Flow | null = null;

  get isEmpty(): boolean {
    return this.#first === null;
  }

  push(flow: Flow): void {
    if (this.#last === null) this.#first = flow;
    else this.#last.turn.next = flow;
    this.#last = flow;
  }

  shift(): Flow | null {
    const flow = this.#first;
    if (flow === null) return null;
    this.#first = flow.turn.next;
    if (this.#first === null) this.#last = null;
    flow.turn.next = null;
    return flow;
  }
}
