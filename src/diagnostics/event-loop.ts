import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Clock } from "../core/clock.ts";

/** How the event loop of the gateway's thread fares. */
export interface EventLoopStatistics {
  /**
   * How late it came to what was due in the last 15 to 30 seconds, milliseconds: on average, in half of the cases at
   * most, in 90 and 99 of 100 at most, and at worst.
   */
  readonly delayMs: {
    readonly mean: number;
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
  };
  /**
   * Milliseconds that it worked since the gateway started: with `idleMs` the difference of two readings tells how busy it
   * was between them.
   */
  readonly activeMs: number;
  /** Milliseconds that it waited for something to do. */
  readonly idleMs: number;
}

// The histogram's own timer: delays below are not seen.
const resolutionMs = 20;

// Delays are seen for so long, and at most twice as long.
const windowMs = 15_000;

/**
 * Measures the event loop, from its start until it is closed. Reading changes nothing, so any number may read: two
 * histograms, one of which is `windowMs` older, are emptied in turn, and the older is read.
 */
export class EventLoopMonitor {
  readonly #clock: Clock;
  readonly #since = performance.eventLoopUtilization();
  #older = createHistogram();
  #younger = createHistogram();
  #timer: unknown;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    this.#older.enable();
    this.#younger.enable();
    this.#waitForTurn();
  }

  get statistics(): EventLoopStatistics {
    const delays = this.#older;
    const { active, idle } = performance.eventLoopUtilization(this.#since);
    const delayMs = {
      mean: lateMs(delays.mean),
      p50: lateMs(delays.percentile(50)),
      p90: lateMs(delays.percentile(90)),
      p99: lateMs(delays.percentile(99)),
      max: lateMs(delays.max),
    };
    return { delayMs, activeMs: Math.round(active), idleMs: Math.round(idle) };
  }

  close(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#older.disable();
    this.#younger.disable();
  }

  #waitForTurn(): void {
    this.#timer = this.#clock.setTimeout(() => {
      [this.#older, this.#younger] = [this.#younger, this.#older];
      this.#younger.reset();
      this.#waitForTurn();
    }, windowMs);
  }
}

function createHistogram(): IntervalHistogram {
  return monitorEventLoopDelay({ resolution: resolutionMs });
}

/** What a measured interval was too long; one that is too short, or not measured yet, is not late. */
function lateMs(nanoseconds: number): number {
  const late = nanoseconds / 1e6 - resolutionMs;
  return late > 0 && late < 1e9 ? Math.round(late * 100) / 100 : 0;
}
