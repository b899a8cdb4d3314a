import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Clock } from "../core/time/clock.ts";

/** The state of the event loop on the gateway's thread. */
export interface EventLoopStatistics {
  /**
   * Delay of due work in the last 15 to 30 seconds, milliseconds: mean, median, 90th and 99th percentile, maximum. It
   * is sampled five times a second at any load: a block longer than 200 ms is always seen, understated by at most 200
   * ms; a shorter one is seen by chance.
   */
  readonly delayMs: {
    readonly mean: number;
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
  };
  /**
   * Milliseconds spent working since the gateway started. Together with `idleMs`, the difference between two readings
   * says how busy it was.
   */
  readonly activeMs: number;
  /** Milliseconds spent waiting for work. */
  readonly idleMs: number;
}

// Interval of the histograms' own timer, which also wakes an idle gateway: one wake-up costs some 50 µs.
const resolutionMs = 200;

// Delays stay visible for at least this long, and at most twice as long.
const windowMs = 15_000;

/**
 * Measures the event loop from its start until it is closed. Reading changes nothing, so there may be any number of
 * readers: two histograms, one older by `windowMs`, are reset in turn, and the older one is read.
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

/** By how much a measured interval was too long; an interval that is too short, or not measured yet, is not late. */
function lateMs(nanoseconds: number): number {
  const late = nanoseconds / 1e6 - resolutionMs;
  return late > 0 && late < 1e9 ? Math.round(late * 100) / 100 : 0;
}
