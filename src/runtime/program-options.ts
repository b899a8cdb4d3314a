import { availableParallelism } from "node:os";
import { z } from "zod";
import { inspectionShape, isInspection } from "../actor/inspect.ts";
import type { Inspection, InspectionObserver } from "../actor/inspection.ts";
import { holdsService, type Service } from "../config/define-service.ts";
import { type FunConfigInput, validateFunConfig } from "../config/fun-config.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { described, must, mustUnshown } from "../core/faults.ts";
import { logLevels } from "../telemetry/log-lines.ts";
import type { LoggerOption } from "../telemetry/logger.ts";
import type { Tracing } from "../tracing/tracing-option.ts";
import { workerPoolDefaults } from "../worker/worker-pool-options.ts";
import { adapter, count, milliseconds, positive, section, text } from "./option-schemas.ts";

/** The threads that run functions, and how much they take on. */
export interface WorkerPoolOptions {
  /** Threads of each pool. @default the number of processors, at least 2 */
  readonly threads?: number;
  /** Calls in flight at most, on all threads of the pool for sync, async and none calls together. @default 1_000 */
  readonly asyncPoolSize?: number;
  /** Streams in flight at most, on all threads of the stream pool together. @default 500 */
  readonly streamPoolSize?: number;
  /** How long a client that reads nothing keeps its stream, milliseconds. @default 60_000 */
  readonly streamStallTimeoutMs?: number;
  /** Calls that may wait for a place; further ones are `unavailable`. @default 10_000 */
  readonly maxQueueSize?: number;
  /** Failures in a row that open a function's circuit. @default 10 */
  readonly circuitBreakerThreshold?: number;
  /** How long an open circuit refuses calls before it lets one try, milliseconds. @default 60_000 */
  readonly circuitBreakerCooldown?: number;
  /**
   * How long the event loop of a thread may stand still, once the caller of one of its calls has given up waiting,
   * before the thread is replaced; milliseconds. A function that computes within its own timeout is left alone.
   * @default 1_000
   */
  readonly wedgeGraceMs?: number;
  /**
   * Memory limits of each thread, as `worker_threads` takes them: one that exceeds them is replaced.
   * @default Node's own
   */
  readonly resourceLimits?: {
    /** The heap of what lives long, megabytes; at least 16. */
    readonly maxOldGenerationSizeMb?: number;
    /** The heap of what was made just now, megabytes. */
    readonly maxYoungGenerationSizeMb?: number;
    /** Compiled code, megabytes. */
    readonly codeRangeSizeMb?: number;
    /** The stack, megabytes; at least 4. */
    readonly stackSizeMb?: number;
  };
}

/** How often the tree's root restarts its children before the gateway, or the node, ends. */
export interface IntensityOptions {
  /** So many restarts are made; one more within the time ends it, with `max_restarts`. @default 3 */
  readonly maxRestarts?: number;
  /** Within this time, milliseconds. @default 5_000 */
  readonly withinMs?: number;
}

/** What every program that runs functions takes, gateway or service node. */
export interface ProgramOptions {
  /** Module names and the ES modules they stand for: the allowlist of what FunConfigs can run. @default {} */
  readonly modules?: Readonly<Record<string, string | URL>>;
  /** Functions known from the start: services of `defineService`, FunConfigs. @default none */
  readonly functions?: readonly (FunConfigInput | Service)[];
  /** Narrows `modules`: `"module"` or `"module.function"` entries. @default everything in `modules` */
  readonly mfaAllowlist?: readonly string[];
  /** The most bytes of a result's JSON. @default 8_388_608 */
  readonly maxResultBytes?: number;
  /** The threads that functions run on. */
  readonly workerPool?: WorkerPoolOptions;
  /** When the tree's root gives up restarting its children. */
  readonly intensity?: IntensityOptions;
  /** The source of time. @default the machine's */
  readonly clock?: Clock;
  /**
   * Where to log what happens: a pino instance, or anything with `debug`, `info`, `warn` and `error`; a level, or true
   * for "info", logs to stdout by the package pino. @default false
   */
  readonly logger?: LoggerOption;
  /** OpenTelemetry spans: `tracing()` of `gen-api/tracing`. @default none */
  readonly tracing?: Tracing;
  /**
   * An XState inspection observer, which sees every actor of the tree from the start, or one with what is to reach it.
   * A throw in it harms nothing. See docs/inspecting.md. @default nobody watches
   */
  readonly inspect?: InspectionObserver | Inspection;
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
  circuitBreakerCooldown: milliseconds.default(workerPoolDefaults.circuitBreakerCooldownMs),
  wedgeGraceMs: milliseconds.default(workerPoolDefaults.wedgeGraceMs),
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
  // What is wrong inside one of them is told by functionFaults.
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
    .default(systemClock),
  logger: z
    .custom<LoggerOption>(isLogger, {
      error: mustUnshown('true, false, "debug", "info", "warn", "error", or a logger with methods of these names'),
    })
    .default(false),
  tracing: adapter<Tracing>("tracing() of gen-api/tracing"),
  inspect: z.custom<InspectionObserver | Inspection>(isInspection, { error: must(inspectionShape) }).optional(),
};

/** What is wrong inside the given FunConfigs, and services whose module nobody names; each with its path. */
export function functionFaults({ functions, modules }: Readonly<Record<string, unknown>>): string[] {
  if (!Array.isArray(functions)) return [];
  return functions.flatMap((given: unknown, index) => {
    const path = `functions[${index}]`;
    if (!holdsService(given)) return faultsAt(path, given);
    const faults = given.functions.flatMap((config) => faultsAt(`${path} ${config.requestType}`, config));
    if (given.url !== null || Object.hasOwn(Object(modules), given.service)) return faults;
    const name = JSON.stringify(given.service);
    return [
      `${path} is the service ${name} without a module: give defineService its import.meta.url, or add modules[${name}]`,
      ...faults,
    ];
  });
}

function faultsAt(path: string, config: unknown): string[] {
  const validation = validateFunConfig(config);
  return validation.ok ? [] : validation.faults.map((fault) => `${path}: ${fault}`);
}

function isClock(value: unknown): boolean {
  const methods = ["now", "systemTime", "setTimeout", "clearTimeout"] as const;
  return (
    typeof value === "object" && value !== null && methods.every((name) => typeof (value as Clock)[name] === "function")
  );
}

function isLogger(value: unknown): boolean {
  if (typeof value === "boolean") return true;
  if (typeof value === "string") return logLevels.some((level) => level === value);
  const given = Object(value) as Readonly<Record<string, unknown>>;
  return logLevels.every((level) => typeof given[level] === "function");
}

const wholeProgram = z.strictObject(programSchema);

/** {@link ProgramOptions}, checked and with every default in place. */
export type ResolvedProgramOptions = z.output<typeof wholeProgram>;
