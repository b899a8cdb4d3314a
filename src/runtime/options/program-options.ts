import { availableParallelism } from "node:os";
import { z } from "zod";
import { inspectionShape, isInspection } from "../../actor/inspection/inspect.ts";
import type { Inspection, InspectionObserver } from "../../actor/inspection/inspection.ts";
import type { FunConfigInput } from "../../config/fun-config.ts";
import type { Service } from "../../config/service-types.ts";
import { messageOf } from "../../core/errors.ts";
import { described, must, mustUnshown } from "../../core/faults.ts";
import { type Clock, systemClock } from "../../core/time/clock.ts";
import { clockFault, HostClock } from "../../core/time/host-clock.ts";
import { namesIn } from "../../otp/checks/names.ts";
import { checkSpecs } from "../../otp/checks/specs.ts";
import type { AnySpec as HostChild } from "../../otp/child-spec.ts";
import { reportClockFaults } from "../../telemetry/clock-faults.ts";
import { logLevels } from "../../telemetry/log/log-lines.ts";
import type { LoggerOption } from "../../telemetry/log/logger.ts";
import type { Tracing } from "../../tracing/tracing-option.ts";
import { workerPoolDefaults } from "../../worker/worker-pool-options.ts";
import { ownNames } from "./actor-names.ts";
import { adapter, count, milliseconds, positive, section, text } from "./option-schemas.ts";

/** The threads that run functions, and their limits. */
export interface WorkerPoolOptions {
  /** Threads of each pool. @default the number of processors, at least 2 */
  readonly threads?: number;
  /** At most this many calls at a time on the pool for sync, async and none calls, over all its threads. @default 1_000 */
  readonly asyncPoolSize?: number;
  /** At most this many streams at a time on the stream pool, over all its threads. @default 500 */
  readonly streamPoolSize?: number;
  /**
   * How long a client that reads nothing, or acknowledges nothing while its window is full, keeps its stream,
   * milliseconds. @default 60_000
   */
  readonly streamStallTimeoutMs?: number;
  /**
   * At most this many calls may wait for a place. Beyond that, the caller with the most waiting calls gets `unavailable`
   * for its newest. @default 10_000
   */
  readonly maxQueueSize?: number;
  /** Failures in a row that open a function's circuit. @default 10 */
  readonly circuitBreakerThreshold?: number;
  /** How long an open circuit refuses calls before one call may try, milliseconds. @default 60_000 */
  readonly circuitBreakerCooldownMs?: number;
  /**
   * How long a thread's event loop may stand still, while no caller waits for the thread, before the gateway replaces
   * the thread; milliseconds. A function that computes within its own timeout is left alone.
   * @default 1_000
   */
  readonly wedgeGraceMs?: number;
  /**
   * Bytes per second that functions on a thread may write to `process.stdout`, for example with `console.log`, and as many
   * to `process.stderr`; at least 1 024. Writes beyond the limit are dropped and reported as
   * `worker_pool.thread.output_dropped`. @default 1_048_576
   */
  readonly maxOutputBytesPerSecond?: number;
  /**
   * Memory limits of each thread, as `worker_threads` takes them. A thread that exceeds them is replaced.
   * @default Node's own
   */
  readonly resourceLimits?: {
    /** The heap of long-lived objects, megabytes; at least 16. */
    readonly maxOldGenerationSizeMb?: number;
    /** The heap of new objects, megabytes. */
    readonly maxYoungGenerationSizeMb?: number;
    /** Compiled code, megabytes. */
    readonly codeRangeSizeMb?: number;
    /** The stack, megabytes; at least 4. */
    readonly stackSizeMb?: number;
  };
}

/** How often the tree's root restarts its children before the gateway, or the node, ends. */
export interface IntensityOptions {
  /** At most this many restarts; one more within the time ends the program with `max_restarts`. @default 3 */
  readonly maxRestarts?: number;
  /** The time in which restarts count, milliseconds. @default 5_000 */
  readonly withinMs?: number;
}

/** The options that gateways and service nodes share. */
export interface ProgramOptions {
  /** Module names and the URLs of their ES modules: the allowlist of what FunConfigs can run. @default {} */
  readonly modules?: Readonly<Record<string, string | URL>>;
  /** Functions known from the start: services of `defineService`, FunConfigs. @default none */
  readonly functions?: readonly (FunConfigInput | Service)[];
  /** Narrows `modules`: `"module"` or `"module.function"` entries. @default everything in `modules` */
  readonly mfaAllowlist?: readonly string[];
  /** The longest JSON of a result, bytes. @default 8_388_608 */
  readonly maxResultBytes?: number;
  /** The threads that functions run on. */
  readonly workerPool?: WorkerPoolOptions;
  /** When the tree's root gives up restarting its children. */
  readonly intensity?: IntensityOptions;
  /**
   * The source of time. The start refuses a clock that throws or returns numbers that are not finite. If it does so
   * later, time stands still and the machine's timers are used. @default the machine's clock
   */
  readonly clock?: Clock;
  /**
   * Where events are logged. A pino instance, or any object with `debug`, `info`, `warn` and `error`, receives the lines.
   * A level, or true for "info", logs to stdout with the package pino. "stderr" writes warnings and errors for people,
   * and needs no package. False logs nothing. @default "stderr"
   */
  readonly logger?: LoggerOption;
  /** OpenTelemetry spans: `tracing()` of `gen-api/tracing`. @default none */
  readonly tracing?: Tracing;
  /**
   * An XState inspection observer, which sees every actor of the tree from the start; or an object that also says what
   * reaches the observer. An exception in it harms nothing. See docs/inspecting.md. @default none
   */
  readonly inspect?: InspectionObserver | Inspection;
  /**
   * The host's own actors, made with `gen-api/otp`: supervisors, servers, resources, machines. Below a supervisor of their
   * own, which is started before the program is open to others, and stopped after. Their crashes never end the program:
   * docs/otp.md. @default none
   */
  readonly children?: readonly HostChild[];
}

const moduleUrl = described(
  z.union([z.instanceof(URL), z.string()]).transform((url, context) => {
    if (URL.canParse(String(url))) return String(url);
    context.addIssue({ code: "custom", input: url });
    return z.NEVER;
  }),
  'the URL of an ES module, such as new URL("./users.js", import.meta.url)',
);

const poolSchema = z.strictObject({
  threads: positive.default(() => Math.max(2, availableParallelism())),
  asyncPoolSize: positive.default(workerPoolDefaults.maxInFlight),
  streamPoolSize: positive.default(500),
  streamStallTimeoutMs: milliseconds.default(60_000),
  maxQueueSize: count(0).default(workerPoolDefaults.maxQueueSize),
  circuitBreakerThreshold: positive.default(workerPoolDefaults.circuitBreakerThreshold),
  circuitBreakerCooldownMs: milliseconds.default(workerPoolDefaults.circuitBreakerCooldownMs),
  wedgeGraceMs: milliseconds.default(workerPoolDefaults.wedgeGraceMs),
  maxOutputBytesPerSecond: count(1_024).default(workerPoolDefaults.maxOutputBytesPerSecond),
  resourceLimits: z
    .strictObject({
      // Less ends the whole process, natively, when a thread starts (seen on Node 24, and on Node 20 for the stack, which deep JSON needs).
      maxOldGenerationSizeMb: count(16).optional(),
      maxYoungGenerationSizeMb: positive.optional(),
      codeRangeSizeMb: positive.optional(),
      stackSizeMb: count(4).optional(),
    })
    .default({}),
});

/** The schema of {@link ProgramOptions}, to be spread into a whole one. */
export const programSchema = {
  modules: z.record(z.string(), moduleUrl, { error: must("a map from module names to URLs") }).default({}),
  // functionFaults reports the faults inside them.
  functions: z
    .array(z.custom<FunConfigInput | Service>(), { error: must("a list of FunConfigs and services") })
    .default([]),
  mfaAllowlist: z
    .array(text(), { error: must('a list of "module" or "module.function"') })
    .transform((names) => new Set(names))
    .nullable()
    .default(null),
  maxResultBytes: positive.default(8 * 1024 * 1024),
  workerPool: section(poolSchema),
  intensity: section(z.strictObject({ maxRestarts: count(0).default(3), withinMs: milliseconds.default(5_000) })),
  clock: z
    .custom<Clock>(isClock, { error: must("a clock with now, systemTime, setTimeout and clearTimeout") })
    .transform((clock, context) => {
      if (clock === systemClock) return clock;
      const message = clockFault(clock);
      if (message === null) return new HostClock(clock, reportClockFaults());
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    })
    .default(systemClock),
  logger: z
    .custom<LoggerOption>(isLogger, {
      error: mustUnshown(
        'true, false, "stderr", a level ("debug", "info", "warn", "error"), or a logger with methods of these names',
      ),
    })
    .default("stderr"),
  tracing: adapter<Tracing>("tracing() of gen-api/tracing"),
  children: z.custom<readonly HostChild[]>().transform(readChildren).default([]),
  inspect: z.custom<InspectionObserver | Inspection>(isInspection, { error: must(inspectionShape) }).optional(),
};

/**
 * The host's children, as they are started: copies, whose names are nobody else's. Their type is the public one, which names
 * no type of XState.
 */
function readChildren(children: readonly HostChild[], context: z.RefinementCtx): readonly HostChild[] {
  try {
    const specs = checkSpecs("", { children });
    const taken = Array.from(namesIn(specs)).filter(({ name }) => ownNames.has(name));
    for (const { name, id } of taken) {
      const own = [...ownNames].toSorted().join(", ");
      const message = `the child spec "${id}": name must be none of the program's own (${own}), got "${name}"`;
      context.addIssue({ code: "custom", message, input: children });
    }
    return specs;
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error as Error).replace(/^: /, ""), input: children });
    return z.NEVER;
  }
}

function isClock(value: unknown): boolean {
  const methods = ["now", "systemTime", "setTimeout", "clearTimeout"] as const;
  return (
    typeof value === "object" && value !== null && methods.every((name) => typeof (value as Clock)[name] === "function")
  );
}

function isLogger(value: unknown): boolean {
  if (typeof value === "boolean") return true;
  if (typeof value === "string") return value === "stderr" || logLevels.some((level) => level === value);
  const given = Object(value) as Readonly<Record<string, unknown>>;
  return logLevels.every((level) => typeof given[level] === "function");
}

const wholeProgram = z.strictObject(programSchema);

/** {@link ProgramOptions}, checked and with every default in place. */
export type ResolvedProgramOptions = z.output<typeof wholeProgram>;
