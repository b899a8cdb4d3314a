import { type ChildSpec, childSpec } from "../../actor/supervisor/child-spec.ts";
import { fromSupervisor } from "../../actor/supervisor/supervisor.ts";
import type { FunConfig } from "../../config/fun-config.ts";
import type { GenApiError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { FunctionKind } from "../../execution/function-kind.ts";
import type { FunctionPlace } from "../../execution/load-function.ts";
import type { PoolRenewal } from "../../worker/fresh-threads.ts";
import { createPool, type Pool } from "../../worker/worker-pool.actor.ts";
import { poolActors } from "../options/actor-names.ts";
import type { ResolvedProgramOptions } from "../options/program-options.ts";

type ResponseType = FunConfig["responseType"];

/** Fresh threads in the pools that need them: they take over together, or are discarded. */
export interface PoolsRenewal extends Omit<PoolRenewal, "verify"> {
  /**
   * Loads a function on the fresh threads of the pool that runs it; null if that pool needs none.
   * @throws as {@link WorkerPools.verify}
   */
  verify(place: FunctionPlace, responseType: ResponseType): Promise<FunctionKind | null>;
}

/** The threads of a program, gateway or service node: one pool for calls, one for streams. */
export class WorkerPools {
  readonly async: Pool;
  readonly stream: Pool;
  /**
   * The modules of verified functions, by the pool that runs them; the lists outlive crashes of the pools. Bounded by the
   * modules of the host's functions.
   */
  readonly #modules = { async: [] as string[], stream: [] as string[] };
  /** How often fresh threads have taken over. */
  #takeovers = 0;

  /** @param program.name the name of the gateway or service node */
  constructor(program: Pick<ResolvedProgramOptions, "workerPool"> & { readonly name: string; readonly clock: Clock }) {
    const { workerPool, clock } = program;
    const { asyncPoolSize, streamPoolSize, circuitBreakerCooldownMs, streamStallTimeoutMs: _, ...rest } = workerPool;
    const options = { ...rest, program: program.name, clock, circuitBreakerCooldownMs };
    const { async, stream } = this.#modules;
    this.async = createPool({ ...options, name: poolActors.asyncPool, maxInFlight: asyncPoolSize, modules: async });
    this.stream = createPool({ ...options, name: poolActors.streamPool, maxInFlight: streamPoolSize, modules: stream });
  }

  /** The supervisor of both, as a child of the tree. */
  get spec(): ChildSpec {
    return childSpec({
      id: poolActors.workerPools,
      name: poolActors.workerPools,
      logic: fromSupervisor({
        children: [
          childSpec({ id: poolActors.asyncPool, name: poolActors.asyncPool, logic: this.async.logic }),
          childSpec({ id: poolActors.streamPool, name: poolActors.streamPool, logic: this.stream.logic }),
        ],
      }),
    });
  }

  /**
   * Loads a function on a thread of the pool that will run it, to ensure that calls will find it. Then all threads of
   * that pool import its module in the background, and so does each thread that replaces a lost one: the first call on
   * a thread has only as much time as any other.
   *
   * @returns its kind
   * @throws GenApiError `module_unreadable` or `function_missing`
   */
  async verify(place: FunctionPlace, responseType: ResponseType): Promise<FunctionKind> {
    const which = poolOf(responseType);
    const takeovers = this.#takeovers;
    const kind = await this[which].verify(place);
    // The threads that know it no longer serve.
    if (takeovers !== this.#takeovers) return this.verify(place, responseType);
    const modules = this.#modules[which];
    if (modules.includes(place.module)) return kind;
    modules.push(place.module);
    this[which].preload();
    return kind;
  }

  /**
   * Starts fresh threads in each pool that has run or imported any of these modules.
   * @param force as of {@link Pool.renew}
   * @throws GenApiError `unavailable`
   */
  renew(modules: ReadonlySet<string>, force: boolean): PoolsRenewal {
    const renewals = new Map<"async" | "stream", PoolRenewal>();
    const all = (): PoolRenewal[] => [...renewals.values()];
    const discard: PoolRenewal["discard"] = (error) => {
      for (const renewal of all()) renewal.discard(error);
    };
    try {
      for (const which of ["async", "stream"] as const) {
        if (this[which].knows(modules)) renewals.set(which, this[which].renew(force));
      }
    } catch (thrown) {
      discard(thrown as GenApiError);
      throw thrown;
    }
    return {
      started: Promise.all(all().map(({ started }) => started)).then(() => undefined),
      verify: async (place, responseType) => (await renewals.get(poolOf(responseType))?.verify(place)) ?? null,
      mayTakeOver: () => {
        for (const renewal of all()) renewal.mayTakeOver();
      },
      takeOver: (reloaded) => {
        this.#takeovers++;
        for (const renewal of all()) renewal.takeOver(reloaded);
      },
      discard,
    };
  }

  /** Threads of code that was reloaded since, on which calls or streams still run. */
  get oldThreads(): number {
    return (this.async.status()?.oldThreads ?? 0) + (this.stream.status()?.oldThreads ?? 0);
  }

  /** Resolves when the threads of closed pools are gone. */
  async closed(): Promise<void> {
    await Promise.all([this.async.closed(), this.stream.closed()]);
  }
}

function poolOf(responseType: ResponseType): "async" | "stream" {
  return responseType === "stream" ? "stream" : "async";
}
