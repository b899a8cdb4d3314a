import type { GenApiError } from "../../dist/core/errors.js";
import type { RequestIdentity } from "../../dist/core/request-info.js";
import { systemClock } from "../../dist/core/time/clock.js";
import type { FunctionPlace } from "../../dist/execution/load-function.js";
import type { CancelReason } from "../../dist/execution/worker-call.js";
import type { Pool } from "../../dist/worker/worker-pool.actor.js";
import { WorkerPool } from "../../dist/worker/worker-pool.js";
import { type PoolSettings, workerPoolDefaults } from "../../dist/worker/worker-pool-options.js";

/** The URL of a module in test/fixtures/worker. */
export function fixture(name: string): string {
  return new URL(`../fixtures/worker/${name}`, import.meta.url).href;
}

/** A function of a module that has no other name than its URL. */
export function placeOf(module: string, name: string): FunctionPlace {
  return { module, moduleName: module, function: name, ofService: false };
}

/** Opens a pool; `await using` closes it. */
export function openPool(options: Partial<PoolSettings> = {}): WorkerPool & AsyncDisposable {
  const pool = new WorkerPool({
    ...workerPoolDefaults,
    program: "test",
    name: "test_pool",
    clock: systemClock,
    threads: 1,
    onFailed: (error) => {
      throw error;
    },
    ...options,
  });
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.close() });
}

/** How a call ended. */
type Outcome =
  | { readonly result: unknown; readonly json: string }
  | { readonly error: GenApiError; readonly begun: boolean };

/** A call under way. */
export interface TestCall {
  readonly outcome: Promise<Outcome>;
  /** How often it was answered. */
  readonly answers: number;
  cancel(reason: CancelReason): void;
}

/** What of a call a test wants to say. */
export interface CallOptions {
  readonly module?: string;
  readonly identity?: RequestIdentity;
  readonly maxResultBytes?: number;
  /** Called while the pool answers. */
  readonly answered?: () => void;
}

/** Starts a call of a function in functions.mjs, or in another fixture. */
export function start(
  pool: Pick<Pool, "run">,
  name: string,
  args: unknown[] = [],
  options: CallOptions = {},
): TestCall {
  let settle!: (outcome: Outcome) => void;
  const outcome = new Promise<Outcome>((resolve) => {
    settle = resolve;
  });
  let answers = 0;
  const task = pool.run({
    service: "test",
    requestType: name,
    version: null,
    ...placeOf(options.module ?? fixture("functions.mjs"), name),
    args,
    identity: options.identity ?? null,
    maxResultBytes: options.maxResultBytes ?? 1_000_000,
    succeeded: (json) => {
      answers++;
      settle({ result: JSON.parse(json), json });
      options.answered?.();
    },
    failed: (error, begun) => {
      answers++;
      settle({ error, begun });
      options.answered?.();
    },
  });
  return {
    outcome,
    get answers() {
      return answers;
    },
    cancel: (reason) => task.cancel(reason),
  };
}

/** Runs a function to its end: its result. @throws GenApiError what the pool answers */
export async function run(
  pool: Pick<Pool, "run">,
  name: string,
  args: unknown[] = [],
  options: CallOptions = {},
): Promise<unknown> {
  const outcome = await start(pool, name, args, options).outcome;
  if ("error" in outcome) throw outcome.error;
  return outcome.result;
}

/** Runs a function that must fail. */
export async function failure(
  pool: Pick<Pool, "run">,
  name: string,
  args: unknown[] = [],
  options: CallOptions = {},
): Promise<{ readonly error: GenApiError; readonly begun: boolean }> {
  const outcome = await start(pool, name, args, options).outcome;
  if ("error" in outcome) return outcome;
  throw new Error(`${name} succeeded with ${outcome.json}`);
}
