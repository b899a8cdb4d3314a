import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";

/** How the event loop of the gateway's thread has fared since the gateway started. */
export interface EventLoopStatistics {
  /** How late it came to what was due, milliseconds. */
  readonly delayMs: { readonly mean: number; readonly p50: number; readonly p99: number; readonly max: number };
  /** Milliseconds that it worked: with `idleMs` the difference of two readings tells how busy it was between them. */
  readonly activeMs: number;
  /** Milliseconds that it waited for something to do. */
  readonly idleMs: number;
}

// The histogram's own timer: delays below are not seen.
const resolutionMs = 20;

/** Measures the event loop until it is closed. */
export class EventLoopMonitor {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #start = performance.eventLoopUtilization();

  constructor() {
    this.#delays.enable();
  }

  get statistics(): EventLoopStatistics {
    const delays = this.#delays;
    const { active, idle } = performance.eventLoopUtilization(this.#start);
    const delayMs = {
      mean: lateMs(delays.mean),
      p50: lateMs(delays.percentile(50)),
      p99: lateMs(delays.percentile(99)),
      max: lateMs(delays.max),
    };
    return { delayMs, activeMs: Math.round(active), idleMs: Math.round(idle) };
  }

  close(): void {
    this.#delays.disable();
  }
}

/** What a measured interval was too long; one that is too short, or not measured yet, is not late. */
function lateMs(nanoseconds: number): number {
  const late = nanoseconds / 1e6 - resolutionMs;
  return late > 0 && late < 1e9 ? Math.round(late * 100) / 100 : 0;
}
