import { fromResource, type ResourceLogic } from "../actor/resource.ts";
import { refused } from "./unavailable.ts";
import type { RunningStream, RunningTask, WorkerCall, WorkerStream } from "./worker-call.ts";
import { WorkerPool } from "./worker-pool.ts";
import { type WorkerPoolOptions, type WorkerPoolStatus, workerPoolDefaults } from "./worker-pool-options.ts";

/** What a supervised pool can be told: as {@link WorkerPoolOptions}, with defaults. */
export type PoolOptions = Omit<WorkerPoolOptions, "onFailed" | keyof typeof workerPoolDefaults> &
  Partial<typeof workerPoolDefaults>;

/** A worker pool that a supervisor owns. */
export interface Pool {
  /** The child to start: opens the pool, fails when the pool fails, closes it on stop and crash. */
  readonly logic: ResourceLogic;
  /** As {@link WorkerPool.run}, on the pool that is open now; while there is none, calls are `unavailable`. */
  run(call: WorkerCall): RunningTask;
  /** As {@link WorkerPool.stream}. */
  stream(stream: WorkerStream): RunningStream;
  /** As {@link WorkerPool.verify}. */
  verify(module: string, name: string): Promise<void>;
  /** As {@link WorkerPool.preload}; threads that start later find the modules in the list. */
  preload(): void;
  /** Null while there is none. */
  status(): WorkerPoolStatus | null;
  /** Resolves when the threads of pools that were closed are gone: an actor that crashed cannot wait for them. */
  closed(): Promise<void>;
}

/** Makes a pool to be started by a supervisor; whoever runs calls keeps it across the restarts of its actor. */
export function createPool(options: PoolOptions): Pool {
  return new SupervisedPool(options);
}

const ended: RunningStream = { cancel: () => undefined, grant: () => undefined };

class SupervisedPool implements Pool {
  readonly logic: ResourceLogic;
  #open: WorkerPool | null = null;
  readonly #closing = new Set<Promise<void>>();

  constructor(options: PoolOptions) {
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
    call.failed(refused("closed"), false);
    return ended;
  }

  stream(stream: WorkerStream): RunningStream {
    if (this.#open !== null) return this.#open.stream(stream);
    stream.failed(refused("closed"), false);
    return ended;
  }

  async verify(module: string, name: string): Promise<void> {
    if (this.#open === null) throw refused("closed");
    await this.#open.verify(module, name);
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
