import type { FunConfig } from "../../config/fun-config.ts";
import { describe, toError } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { callInOwnContext } from "../../core/foreign/own-context.ts";
import { isThenable } from "../../core/foreign/thenable.ts";
import type { Clock } from "../../core/time/clock.ts";
import { within } from "../../core/time/within.ts";
import type { ServiceFunction } from "../../execution/load-function.ts";
import type { Hook } from "../../policy/hooks.ts";
import { loopReleased, loopTaken } from "../../telemetry/main-loop.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import type { FunctionNodes } from "./function-nodes.ts";

const exception = telemetryEvent("executor.resolver.exception");

// The most names of a resolver. More is probably a mistake rather than a cluster.
const maxNames = 1_000;

// A failed resolver is called again soon, but not for each request that comes meanwhile.
const failureTtlMs = 500;

const none: readonly string[] = Object.freeze([]);

/**
 * The nodes that a FunConfig's resolver names. Its answer is kept for `nodesTtlMs`; requests that come meanwhile wait
 * for the same call. If it throws, takes longer than `hookTimeout` or returns anything but a list of node names, there
 * are no nodes.
 */
export class ResolvedNodes implements FunctionNodes {
  readonly functionKey: string;
  readonly #resolver: Hook;
  readonly #config: FunConfig;
  readonly #gateway: string;
  readonly #clock: Clock;
  #names = none;
  #keptUntil = Number.NEGATIVE_INFINITY;
  #resolving: Promise<readonly string[]> | null = null;

  /** @param config the FunConfig with this resolver */
  constructor(functionKey: string, resolver: Hook, config: FunConfig, gateway: string, clock: Clock) {
    this.functionKey = functionKey;
    this.#resolver = resolver;
    this.#config = config;
    this.#gateway = gateway;
    this.#clock = clock;
  }

  names(): readonly string[] | Promise<readonly string[]> {
    if (this.#resolving !== null) return this.#resolving;
    return this.#clock.now() < this.#keptUntil ? this.#names : this.#resolve();
  }

  get known(): readonly string[] | null {
    return this.#clock.now() < this.#keptUntil ? this.#names : null;
  }

  #resolve(): readonly string[] | Promise<readonly string[]> {
    const { loaded, args, timeoutMs } = this.#resolver;
    const startedAt = this.#clock.now();
    const succeed = (value: unknown) => this.#keep(namesIn(value), this.#config.nodesTtlMs);
    const fail = (thrown: unknown) => this.#fail(thrown, startedAt);
    try {
      const value = this.#call(loaded.run, args);
      if (!isThenable(value)) {
        hearPromises(value);
        return succeed(value);
      }
      this.#resolving = within(value, timeoutMs, this.#clock, succeed, fail);
      return this.#resolving;
    } catch (thrown) {
      return fail(thrown);
    }
  }

  #call(run: ServiceFunction, args: readonly unknown[]): unknown {
    const since = loopTaken(this.#clock);
    try {
      return callInOwnContext(run, [...args]);
    } finally {
      const gateway = { name: this.#gateway, clock: this.#clock };
      loopReleased(since, gateway, "resolver", this.#resolver.name);
    }
  }

  #fail(thrown: unknown, startedAt: number): readonly string[] {
    hearPromises(thrown);
    if (exception.active) {
      const { service, requestType, version } = this.#config;
      exception.emit(
        { duration_us: Math.round((this.#clock.now() - startedAt) * 1_000) },
        {
          gateway: this.#gateway,
          service,
          request_type: requestType,
          version,
          resolver: this.#resolver.name,
          error: toError(thrown),
        },
      );
    }
    return this.#keep(none, Math.min(this.#config.nodesTtlMs, failureTtlMs));
  }

  #keep(names: readonly string[], ttlMs: number): readonly string[] {
    this.#resolving = null;
    this.#names = names;
    this.#keptUntil = this.#clock.now() + ttlMs;
    return names;
  }
}

/**
 * A copy of the names that a resolver returned.
 * @throws Error naming the value that it returned instead
 */
function namesIn(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw new Error(`must return a list of node names, got ${describe(value)}`);
  if (value.length > maxNames) throw new Error(`must return at most ${maxNames} node names, got ${value.length}`);
  const names = new Set<string>();
  for (const name of value) {
    if (typeof name !== "string" || name === "") {
      throw new Error(`must return a list of node names, got ${shown(name)} in it`);
    }
    names.add(name);
  }
  return Object.freeze([...names]);
}
