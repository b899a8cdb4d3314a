import { isGenApiError, libraryError, toError } from "../core/errors.ts";
import type { Clock } from "../core/time/clock.ts";
import type { CancelReason, WorkerTarget } from "../execution/worker-call.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { PoolRefusal } from "./pool-refusal.ts";
import type { PoolTask } from "./pool-task.ts";
import type { PoolSettings } from "./worker-pool-options.ts";

/** The function of a call. */
type CalledFunction = Pick<WorkerTarget, "service" | "requestType">;

const taskStart = telemetryEvent("worker_pool.task.start");
const taskStop = telemetryEvent("worker_pool.task.stop");
const taskException = telemetryEvent("worker_pool.task.exception");
const taskRejected = telemetryEvent("worker_pool.task.rejected");
const circuitOpen = telemetryEvent("worker_pool.circuit_breaker.open");
const circuitClose = telemetryEvent("worker_pool.circuit_breaker.close");
const threadExit = telemetryEvent("worker_pool.thread.exit");
const strayError = telemetryEvent("worker_pool.thread.stray_error");
const outputDropped = telemetryEvent("worker_pool.thread.output_dropped");

/** The events of one pool; each method costs one check while there are no listeners. */
export class PoolTelemetry {
  readonly #program: string;
  readonly #pool: string;
  readonly #clock: Clock;

  constructor({ program, name, clock }: Pick<PoolSettings, "program" | "name" | "clock">) {
    this.#program = program;
    this.#pool = name;
    this.#clock = clock;
  }

  taken(task: PoolTask): void {
    if (task.isVerification) return;
    if (taskStop.active || taskException.active) task.takenAt = this.#clock.now();
    if (taskStart.active) taskStart.emit({ system_time: this.#clock.systemTime() }, this.#identity(task.target));
  }

  /** The function gave its answer, possibly a GenApiError. */
  stopped(task: PoolTask): void {
    if (taskStop.active && task.takenAt >= 0)
      taskStop.emit({ duration_us: this.#duration(task) }, this.#identity(task.target));
  }

  failed(task: PoolTask, error: Error): void {
    if (!taskException.active || task.takenAt < 0) return;
    // The function's own error is the cause of the error that its caller gets.
    const thrown = isGenApiError(error) && error.code === "internal" ? toError(error.cause ?? error) : error;
    taskException.emit({ duration_us: this.#duration(task) }, { ...this.#identity(task.target), error: thrown });
  }

  /** The caller no longer waits. */
  givenUp(task: PoolTask, reason: CancelReason): void {
    if (!taskException.active) return;
    this.failed(task, libraryError(reason === "timeout" ? "timeout" : "cancelled", `Given up: ${reason}`));
  }

  rejected(task: PoolTask, reason: Exclude<PoolRefusal, "closed">, queueSize: number): void {
    if (taskRejected.active) taskRejected.emit({ queue_size: queueSize }, { ...this.#identity(task.target), reason });
  }

  circuitOpened(target: CalledFunction, consecutiveFailures: number): void {
    if (!circuitOpen.active) return;
    circuitOpen.emit({ consecutive_failures: consecutiveFailures }, this.#identity(target));
  }

  circuitClosed(target: CalledFunction): void {
    if (circuitClose.active) circuitClose.emit({ system_time: this.#clock.systemTime() }, this.#identity(target));
  }

  threadLost(error: Error, callsLost: number): void {
    if (threadExit.active) threadExit.emit({ calls_lost: callsLost }, { ...this.#names(), error });
  }

  strayError(error: Error): void {
    if (strayError.active) strayError.emit({ system_time: this.#clock.systemTime() }, { ...this.#names(), error });
  }

  outputDropped(fd: number, bytes: number): void {
    if (!outputDropped.active) return;
    outputDropped.emit({ bytes }, { ...this.#names(), stream: fd === 1 ? "stdout" : "stderr" });
  }

  #duration(task: PoolTask): number {
    return Math.round((this.#clock.now() - task.takenAt) * 1_000);
  }

  #identity({ service, requestType }: CalledFunction) {
    return { program: this.#program, pool: this.#pool, service, request_type: requestType };
  }

  #names() {
    return { program: this.#program, pool: this.#pool };
  }
}
