import { type ChildSpec, childSpec } from "../actor/child-spec.ts";
import { fromSupervisor } from "../actor/supervisor.ts";
import type { Clock } from "../core/clock.ts";
import { createPool, type Pool } from "../worker/worker-pool.actor.ts";
import type { ResolvedProgramOptions } from "./program-options.ts";

const names = { workerPools: "worker_pools", asyncPool: "async_pool", streamPool: "stream_pool" } as const;

/** The threads of a program, gateway or service node: one pool for calls, one for streams. */
export class WorkerPools {
  readonly async: Pool;
  readonly stream: Pool;

  /** @param program.name the gateway's or service node's */
  constructor(program: Pick<ResolvedProgramOptions, "workerPool"> & { readonly name: string; readonly clock: Clock }) {
    const { workerPool, clock } = program;
    const { asyncPoolSize, streamPoolSize, circuitBreakerCooldown, streamStallTimeoutMs: _, ...rest } = workerPool;
    const options = { ...rest, program: program.name, clock, circuitBreakerCooldownMs: circuitBreakerCooldown };
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

  /** Resolves when the threads of pools that were closed are gone. */
  async closed(): Promise<void> {
    await Promise.all([this.async.closed(), this.stream.closed()]);
  }
}
