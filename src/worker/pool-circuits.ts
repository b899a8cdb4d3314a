import { CircuitBreaker } from "./functions/circuit-breaker.ts";
import type { PoolFunction } from "./functions/pool-function.ts";
import type { PoolTask } from "./pool-task.ts";
import type { PoolTelemetry } from "./pool-telemetry.ts";
import type { OpenCircuit, PoolSettings } from "./worker-pool-options.ts";

/**
 * The circuit breakers of a pool's functions. A function has one from its first failure until a success: a function
 * that works costs a comparison with null.
 */
export class PoolCircuits {
  readonly #options: Pick<PoolSettings, "circuitBreakerThreshold" | "circuitBreakerCooldownMs">;
  readonly #telemetry: PoolTelemetry;
  readonly #functions = new Set<PoolFunction>();

  constructor(
    options: Pick<PoolSettings, "circuitBreakerThreshold" | "circuitBreakerCooldownMs">,
    telemetry: PoolTelemetry,
  ) {
    this.#options = options;
    this.#telemetry = telemetry;
  }

  /** The functions whose circuit is open or half open. */
  get open(): OpenCircuit[] {
    return [...this.#functions].flatMap(({ module, moduleName, function: name, breaker }) =>
      breaker?.isOpen === true ? [{ module, moduleName, function: name, isRefusing: breaker.isRefusing }] : [],
    );
  }

  /** Whether a task may run. If so, report its outcome through one of the methods below. */
  admits(task: PoolTask): boolean {
    const { breaker } = task.function;
    if (breaker === null) return true;
    const admission = breaker.admit();
    if (admission === "refused") return false;
    if (admission !== "allowed") task.trial = admission;
    return true;
  }

  /** The function works. */
  succeeded({ function: called, trial }: PoolTask): void {
    if (called.breaker === null) return;
    if (trial !== null) trial.succeeded();
    else if (!called.breaker.isOpen) this.#drop(called);
  }

  /** A stream delivers: a trial need not wait for its end, which may never come. */
  delivered(task: PoolTask): void {
    if (task.trial === null) return;
    task.trial.succeeded();
    task.trial = null;
  }

  /** The function, or the thread it ran on, failed. */
  failed(task: PoolTask): void {
    if (task.isVerification || task.function.isReplaced) return;
    if (task.trial !== null) {
      task.trial.failed();
      task.trial = null;
      return;
    }
    task.function.breaker ??= this.#createBreaker(task);
    task.function.breaker.failed();
  }

  /** The task ended in a way that says nothing about its function. */
  abandoned(task: PoolTask): void {
    if (task.trial !== null) task.function.breaker?.abandon(task.trial);
    task.trial = null;
  }

  /** The task will have no answer. This matters only for a trial. */
  unanswered(task: PoolTask): void {
    if (task.trial !== null) this.failed(task);
  }

  /** The function's code was replaced: what the circuit has seen says nothing about the new code. */
  forget(replaced: PoolFunction): void {
    replaced.breaker?.reset();
    this.#drop(replaced);
  }

  close(): void {
    for (const called of this.#functions) this.#drop(called);
  }

  #createBreaker({ target: { service, requestType }, function: called }: PoolTask): CircuitBreaker {
    const target = { service, requestType };
    this.#functions.add(called);
    return new CircuitBreaker({
      threshold: this.#options.circuitBreakerThreshold,
      cooldownMs: this.#options.circuitBreakerCooldownMs,
      onOpen: (failures) => this.#telemetry.circuitOpened(target, failures),
      onClose: () => {
        this.#drop(called);
        this.#telemetry.circuitClosed(target);
      },
    });
  }

  #drop(called: PoolFunction): void {
    called.breaker?.close();
    called.breaker = null;
    this.#functions.delete(called);
  }
}
