import { type Linked, LinkedQueue } from "../../core/fair/linked-queue.ts";
import type { JoinedChannel } from "../channels/joined-channel.ts";

/** A push on its way to its receivers. */
export interface Delivery extends Linked<Delivery> {
  /** Deliveries of one lane keep their order; lanes take turns. */
  readonly lane: string;
  /** Bytes that it holds in memory. */
  readonly weight: number;
  /** The channels that get it, asked for once, when its turn has come. */
  receivers(): readonly JoinedChannel[];
  /** Sends it to one of them, if that is still joined. */
  sendTo(channel: JoinedChannel): void;
  /** Called when it was sent to all of them. */
  sent(receivers: number): void;
}

/** What waits to be sent. */
export interface Waiting {
  readonly count: number;
  readonly bytes: number;
}

// What one turn of the event loop may spend, and one lane of it before another has its turn. A send costs one point and
// one for each block of its bytes: 256 sends of a small message hold the loop for about a millisecond.
const pointsPerTurn = 256;
const pointsPerLane = 64;
const bytesPerPoint = 4_096;

/**
 * Sends pushes to their receivers in slices, so that one push to ten thousand sockets, or a thousand pushes to one, do
 * not hold the event loop. Each lane keeps its order, and no lane waits for the end of another.
 */
export class Deliveries {
  readonly #maxBytes: number;
  /** Lanes with something to send; the first has the next turn. */
  readonly #lanes = new Map<string, Lane>();
  #count = 0;
  #bytes = 0;
  #isScheduled = false;

  /** @param maxBytes the weight that may wait in sum */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get waiting(): Waiting {
    return { count: this.#count, bytes: this.#bytes };
  }

  /**
   * Takes a delivery, unless its lane already has as much waiting as is free for all others together.
   * @returns whether it was taken
   */
  add(delivery: Delivery): boolean {
    const lane = this.#lanes.get(delivery.lane);
    if ((lane?.bytes ?? 0) + delivery.weight > this.#maxBytes - this.#bytes) return false;
    this.#count++;
    this.#bytes += delivery.weight;
    if (lane !== undefined) lane.add(delivery);
    else this.#lanes.set(delivery.lane, new Lane(delivery));
    this.#schedule();
    return true;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#turn();
      if (this.#lanes.size > 0) this.#schedule();
    });
  }

  #turn(): void {
    for (let points = pointsPerTurn; points > 0; ) {
      const next = this.#lanes.entries().next();
      if (next.done) return;
      const [name, lane] = next.value;
      this.#lanes.delete(name);
      points -= lane.send(Math.min(points, pointsPerLane), (delivery) => {
        this.#count--;
        this.#bytes -= delivery.weight;
      });
      if (!lane.isEmpty) this.#lanes.set(name, lane);
    }
  }
}

/** Deliveries in their order. */
class Lane {
  readonly #queue = new LinkedQueue<Delivery>();
  /** The receivers of the first one, once it was begun, and how many of them have it. */
  #receivers: readonly JoinedChannel[] | undefined;
  #done = 0;
  bytes = 0;

  constructor(first: Delivery) {
    this.add(first);
  }

  get isEmpty(): boolean {
    return this.#queue.size === 0;
  }

  add(delivery: Delivery): void {
    this.#queue.push(delivery);
    this.bytes += delivery.weight;
  }

  /**
   * Sends until `points` are used up, at least once.
   * @param onSent called with each delivery that all its receivers have
   * @returns the points that it used
   */
  send(points: number, onSent: (delivery: Delivery) => void): number {
    let used = 0;
    for (let first = this.#queue.first; first !== null && used < points; first = this.#queue.first) {
      this.#receivers ??= first.receivers();
      const receivers = this.#receivers;
      const cost = 1 + Math.floor(first.weight / bytesPerPoint);
      // To find out that nobody gets it has its price too.
      if (receivers.length === 0) used++;
      while (this.#done < receivers.length && used < points) {
        first.sendTo(receivers[this.#done++] as JoinedChannel);
        used += cost;
      }
      if (this.#done < receivers.length) break;
      this.#queue.shift();
      this.#receivers = undefined;
      this.#done = 0;
      this.bytes -= first.weight;
      onSent(first);
      first.sent(receivers.length);
    }
    return used;
  }
}
