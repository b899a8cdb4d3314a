import { fromResource, type ResourceLogic } from "../actor/resource.ts";
import type { FunctionKind } from "../execution/function-kind.ts";
import type { FunctionPlace } from "../execution/load-function.ts";
import type { RunningStream, RunningTask, WorkerCall, WorkerStream } from "../execution/worker-call.ts";
import type { PoolRenewal } from "./fresh-threads.ts";
import { poolNotRunning, poolRefused } from "./pool-refusal.ts";
import { WorkerPool } from "./worker-pool.ts";
import { type PoolSettings, type WorkerPoolStatus, workerPoolDefaults } from "./worker-pool-options.ts";

/** The options of a supervised pool: {@link PoolSettings}, with defaults. */
export type PoolOptions = Omit<PoolSettings, "onFailed" | keyof typeof workerPoolDefaults> &
  Partial<typeof workerPoolDefaults>;

/** A worker pool that a supervisor owns. */
export interface Pool {
  /** The child to start: it opens the pool, fails when the pool fails, and closes it on stop and crash. */
  readonly logic: ResourceLogic;
  /** As {@link WorkerPool.run}, on the currently open pool; without one, calls are `unavailable`. */
  run(call: WorkerCall): RunningTask;
  /** As {@link WorkerPool.stream}. */
  stream(stream: WorkerStream): RunningStream;
  /** As {@link WorkerPool.verify}. */
  verify(place: FunctionPlace): Promise<FunctionKind>;
  /** As {@link WorkerPool.knows}; true without an open pool, which cannot say. */
  knows(modules: ReadonlySet<string>): boolean;
  /** As {@link WorkerPool.renew}. */
  renew(force: boolean): PoolRenewal;
  /** As {@link WorkerPool.preload}; threads that start later find the modules in the list. */
  preload(): void;
  /** Null without an open pool. */
  status(): WorkerPoolStatus | null;
  /** Resolves when the threads of closed pools are gone: a crashed actor cannot wait for them. */
  closed(): Promise<void>;
}

/** Creates a pool for a supervisor to start; callers keep it across restarts of its actor. */
export function createPool(options: PoolOptions): Pool {
  return new SupervisedPool(options);
}

const ended: RunningStream = { cancel: () => undefined, grant: () => undefined, acknowledge: () => undefined };

class SupervisedPool implements Pool {
  readonly logic: ResourceLogic;
  readonly #name: string;
  #open: WorkerPool | null = null;
  readonly #closing = new Set<Promise<void>>();

  constructor(options: PoolOptions) {
    this.#name = options.name;
    this.logic = fromResource(({ fail }) => {
      const pool = new WorkerPool({ ...workerPoolDefaults, ...options, onFailed: fail });
      this.#open = pool;
      return {
        shutdown: () => pool.close(),
        close: () => {
          if (this.#open === pool) this.#open = null;
          const closed = pool.close().finally(() => this.#closing.delete(closed));
          this.#closing.add(closed);
        },
        formatStatus: () => ({ ...pool.status() }),
      };
    });
  }

  run(call: WorkerCall): RunningTask {
    if (this.#open !== null) return this.#open.run(call);
    call.failed(poolRefused("closed"), false);
    return ended;
  }

  stream(stream: WorkerStream): RunningStream {
    if (this.#open !== null) return this.#open.stream(stream);
    stream.failed(poolRefused("closed"), false);
    return ended;
  }

  async verify(place: FunctionPlace): Promise<FunctionKind> {
    if (this.#open === null) throw poolRefused("closed");
    return this.#open.verify(place);
  }

  knows(modules: ReadonlySet<string>): boolean {
    return this.#open?.knows(modules) ?? true;
  }

  renew(force: boolean): PoolRenewal {
    if (this.#open === null) throw poolNotRunning(this.#name);
    return this.#open.renew(force);
  }

  preload(): void {
    this.#open?.preload();
  }

  status(): WorkerPoolStatus | null {
    return this.#open?.status() ?? null;
  }

  async closed(): Promise<void> {
    await Promise.all(this.#closing);
  }
}
