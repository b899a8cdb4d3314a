import type { ConfigStore } from "../config/config-store.ts";
import type { Clock } from "../core/clock.ts";
import type { Deadlines } from "../core/deadlines.ts";
import type { Executor } from "./attempt.ts";
import type { CompiledFunction } from "./compile-function.ts";
import type { RunningCalls } from "./running-calls.ts";

/** What the pipeline needs of the gateway. */
export interface PipelineSources {
  readonly gateway: string;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** A number in [0, 1), as `Math.random` returns it. */
  readonly random: () => number;
  /** Every call that waits for something, whoever sent it. */
  readonly running: RunningCalls;
  readonly functions: ConfigStore<CompiledFunction>;
  /** Compiles what a before hook changed. @throws GenApiError `invalid_config` */
  compile(config: unknown): Promise<CompiledFunction>;
  readonly executors: { readonly main: Executor; readonly worker: Executor };
  readonly maxPayloadBytes: number;
  readonly maxResultBytes: number;
  readonly detailError: () => boolean;
}
