import { type ChildSpec, childSpec } from "../actor/child-spec.ts";
import { fromSupervisor } from "../actor/supervisor.ts";
import type { FunConfig } from "../config/fun-config.ts";
import type { Clock } from "../core/clock.ts";
import { createPool, type Pool } from "../worker/worker-pool.actor.ts";
import type { ResolvedProgramOptions } from "./program-options.ts";

const names = { workerPools: "worker_pools", asyncPool: "async_pool", streamPool: "stream_pool" } as const;

/** The threads of a program, gateway or service node: one pool for calls, one for streams. */
export class WorkerPools {
  readonly async: Pool;
  readonly stream: Pool;
  /** What was verified; it outlives the pools' crashes. Bounded by what the host's functions are in. */
  readonly #modules: string[] = [];

  /** @param program.name the gateway's or service node's */
  constructor(program: Pick<ResolvedProgramOptions, "workerPool"> & { readonly name: string; readonly clock: Clock }) {
    const { workerPool, clock } = program;
    const { asyncPoolSize, streamPoolSize, circuitBreakerCooldown, streamStallTimeoutMs: _, ...rest } = workerPool;
    const options = {
      ...rest,
      program: program.name,
      clock,
      circuitBreakerCooldownMs: circuitBreakerCooldown,
      modules: this.#modules,
    };
    this.async = createPool({ ...options, name: names.asyncPool, maxInFlight: asyncPoolSize });
    this.stream = createPool({ ...options, name: names.streamPool, maxInFlight: streamPoolSize });
  }

  /** The supervisor of both, to be a child of the tree. */
  get spec(): ChildSpec {
    return childSpec({
      id: names.workerPools,
      name: names.workerPools,
      logic: fromSupervisor({
        children: [
          childSpec({ id: names.asyncPool, name: names.asyncPool, logic: this.async.logic }),
          childSpec({ id: names.streamPool, name: names.streamPool, logic: this.stream.logic }),
        ],
      }),
    });
  }

  /**
   * Loads a function on a thread of the pool that will run it, to know that calls will find it. Then all threads of both
   * pools import its module in the background, and so does each that takes the place of a lost one: a call that is the
   * first on its thread has only so much time as any other.
   *
   * @throws GenApiError `module_unreadable` or `function_missing`
   */
  async verify(url: string, name: string, responseType: FunConfig["responseType"]): Promise<void> {
    await (responseType === "stream" ? this.stream : this.async).verify(url, name);
    if (this.#modules.includes(url)) return;
    this.#modules.push(url);
    this.async.preload();
    this.stream.preload();
  }

  /** Resolves when the threads of pools that were closed are gone. */
  async closed(): Promise<void> {
    await Promise.all([this.async.closed(), this.stream.closed()]);
  }
}
