import type { Server } from "node:http";
import { availableParallelism } from "node:os";
import { z } from "zod";
import type { InspectionObserver } from "../actor/inspect.ts";
import { holdsService, type Service } from "../config/define-service.ts";
import { type FunConfigInput, validateFunConfig } from "../config/fun-config.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { described, faultsError, faultsOf, must } from "../core/faults.ts";
import { checkRateLimiterOptions, type RateLimiterOptions } from "../policy/rate-limiter-options.ts";
import type { ChannelOptions } from "../socket/channel.ts";
import { checkTrustProxy, type TrustProxy } from "../socket/client-address.ts";
import { type AllowedOrigins, checkAllowedOrigins } from "../socket/origin.ts";
import { type SocketOptions, socketDefaults } from "../socket/socket-options.ts";
import { workerPoolDefaults } from "../worker/worker-pool-options.ts";

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
   * Memory limits of each thread, as `worker_threads` takes them; at least 16 MB of old generation and 4 MB of stack.
   * @default Node's own
   */
  readonly resourceLimits?: {
    readonly maxOldGenerationSizeMb?: number;
    readonly maxYoungGenerationSizeMb?: number;
    readonly codeRangeSizeMb?: number;
    readonly stackSizeMb?: number;
  };
}

/** How often the tree's root restarts its children before the gateway ends. */
export interface IntensityOptions {
  /** @default 3 */
  readonly maxRestarts?: number;
  /** Milliseconds. @default 5_000 */
  readonly withinMs?: number;
}

const adminActions = ["update_rate_limit_config", "change_detail_error"] as const;

/** A change at run time that a host has to allow: `runtime.rateLimiter.updateConfig`, `runtime.setDetailError`. */
export type AdminAction = (typeof adminActions)[number];

/** What {@link startGenApi} takes. */
export interface GenApiOptions {
  /** This gateway's name, as telemetry and other nodes know it. @default "gen_api@127.0.0.1" */
  readonly name?: string;
  /** An own HTTP server: port 0 takes any free one, false listens nowhere. @default false, unless `server` is given */
  readonly listen?: { readonly host?: string; readonly port?: number } | false;
  /** Mount on the host's own server instead: only our paths are answered, and it is never closed by us. */
  readonly server?: Server;
  /** The clients' WebSocket endpoint. */
  readonly socket?: SocketOptions;
  /** The channels that clients can join, the first match is taken. @default none */
  readonly channels?: readonly ChannelOptions[];
  /** Module names and the ES modules they stand for: the allowlist of what FunConfigs can run. @default {} */
  readonly modules?: Readonly<Record<string, string | URL>>;
  /** Functions known from the start: services of `defineService`, FunConfigs. @default none */
  readonly functions?: readonly (FunConfigInput | Service)[];
  /** Narrows `modules`: `"module"` or `"module.function"` entries. @default everything in `modules` */
  readonly mfaAllowlist?: readonly string[];
  /** Tells clients the message behind an `internal` error. For development. @default false */
  readonly detailError?: boolean;
  /** The most bytes of a result's JSON. @default 8_388_608 */
  readonly maxResultBytes?: number;
  readonly workerPool?: WorkerPoolOptions;
  /** Limits on how often requests may come. @default none */
  readonly rateLimiter?: RateLimiterOptions;
  /** What may be changed at run time that is refused otherwise. @default [] */
  readonly adminActions?: readonly AdminAction[];
  /** When the tree's root gives up. */
  readonly intensity?: IntensityOptions;
  /** The source of time. @default the machine's */
  readonly clock?: Clock;
  /** An XState inspection observer: sees every actor of the tree. A throw in it harms nothing. */
  readonly inspect?: InspectionObserver;
}

const topicRule = 'an exact topic, or one that ends in its only "*", such as "api:*"';
const positive = count(1);
const milliseconds = described(z.int().min(1), "a whole number of milliseconds above 0");
const fun = <Type>(expected: string) =>
  z.custom<Type>((value) => typeof value === "function", { error: must(expected) });

const listenSchema = described(
  z.union([
    z.literal(false),
    z.strictObject({ host: z.string().min(1).default("127.0.0.1"), port: z.int().min(0).max(65_535).default(4000) }),
  ]),
  "false or {host, port} with a port from 0 to 65535",
);

const socketSchema = z.strictObject({
  path: z
    .string({ error: must('a path such as "/socket"') })
    .regex(/^\/[^?#]*$/, { error: must('a path such as "/socket"') })
    .default(socketDefaults.path),
  connect: fun<NonNullable<SocketOptions["connect"]>>("a function").default(() => socketDefaults.connect),
  allowedOrigins: z
    .custom<AllowedOrigins>()
    .superRefine((value, context) => {
      for (const message of checkAllowedOrigins(value)) context.addIssue({ code: "custom", message, input: value });
    })
    .default(socketDefaults.allowedOrigins),
  trustProxy: z
    .custom<TrustProxy>()
    .superRefine((value, context) => {
      for (const message of checkTrustProxy(value)) context.addIssue({ code: "custom", message, input: value });
    })
    .default(socketDefaults.trustProxy),
  maxPayloadBytes: positive.default(socketDefaults.maxPayloadBytes),
  maxFrameBytes: positive.default(socketDefaults.maxFrameBytes),
  maxFragments: positive.default(socketDefaults.maxFragments),
  maxBufferedChunks: positive.default(socketDefaults.maxBufferedChunks),
  idleTimeoutMs: milliseconds.default(socketDefaults.idleTimeoutMs),
  upgradeTimeoutMs: milliseconds.default(socketDefaults.upgradeTimeoutMs),
  connectTimeoutMs: milliseconds.default(socketDefaults.connectTimeoutMs),
  joinTimeoutMs: milliseconds.default(socketDefaults.joinTimeoutMs),
  closeTimeoutMs: milliseconds.default(socketDefaults.closeTimeoutMs),
  maxConnections: positive.default(socketDefaults.maxConnections),
  maxConnectionsPerAddress: positive.default(socketDefaults.maxConnectionsPerAddress),
  maxChannels: positive.default(socketDefaults.maxChannels),
  maxRequestsInFlight: positive.default(socketDefaults.maxRequestsInFlight),
  maxBufferedBytes: positive.default(socketDefaults.maxBufferedBytes),
});

const channelSchema = z.strictObject({
  topic: z.string({ error: must(topicRule) }).regex(/^[^*]+\*?$/, { error: must(topicRule) }),
  event: text().default("phoenix_gen_api"),
  join: fun<NonNullable<ChannelOptions["join"]>>("a function").default(() => () => ({})),
  overrideUserId: flag().default(true),
  requireVerifiedUserId: flag().default(false),
  replyMode: z.enum(["push", "reply"], { error: must('"push" or "reply"') }).default("push"),
});

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

// What is wrong inside it is told by checkRateLimiterOptions.
const limiterSchema = z.strictObject({
  enabled: z.custom<RateLimiterOptions["enabled"]>().optional(),
  failOpen: z.custom<RateLimiterOptions["failOpen"]>().optional(),
  globalLimits: z.custom<RateLimiterOptions["globalLimits"]>().optional(),
  apiLimits: z.custom<RateLimiterOptions["apiLimits"]>().optional(),
  maxKeys: z.custom<RateLimiterOptions["maxKeys"]>().optional(),
  sweepIntervalMs: z.custom<RateLimiterOptions["sweepIntervalMs"]>().optional(),
  keysPerSweep: z.custom<RateLimiterOptions["keysPerSweep"]>().optional(),
});

const optionsSchema = z.strictObject({
  name: text().default("gen_api@127.0.0.1"),
  listen: listenSchema.optional(),
  server: z
    .custom<Server>((value) => typeof (value as Server | null)?.on === "function", {
      error: must("an http.Server or https.Server"),
    })
    .optional(),
  socket: section(socketSchema),
  channels: z.array(channelSchema, { error: must("a list of channels") }).default([]),
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
  detailError: flag().default(false),
  maxResultBytes: positive.default(8 * 1024 * 1024),
  rateLimiter: section(limiterSchema),
  adminActions: z
    .array(z.enum(adminActions, { error: must(adminActions.map((name) => JSON.stringify(name)).join(" or ")) }), {
      error: must("a list of admin actions"),
    })
    .transform((names) => new Set<AdminAction>(names))
    .default(() => new Set<AdminAction>()),
  workerPool: section(poolSchema),
  intensity: section(z.strictObject({ maxRestarts: count(0).default(3), withinMs: milliseconds.default(5_000) })),
  clock: z
    .custom<Clock>(isClock, { error: must("a clock with now, systemTime, setTimeout and clearTimeout") })
    .default(systemClock),
  inspect: z.custom<InspectionObserver>(isObserver, { error: must("a function, or an observer with next") }).optional(),
});

/** {@link GenApiOptions}, checked and with every default in place. */
export type ResolvedOptions = z.output<typeof optionsSchema>;

/**
 * Checks options and fills in the defaults.
 * @throws GenApiError `invalid_option`, one for all, that lists every fault by its path
 */
export function resolveOptions(options: unknown): ResolvedOptions {
  const parsed = optionsSchema.safeParse(options);
  const given = Object(options) as Readonly<Record<string, unknown>>;
  const faults = [
    ...(parsed.success ? [] : faultsOf(parsed.error)),
    ...serverFaults(given),
    ...limiterFaults(given),
    ...functionFaults(given),
  ];
  if (parsed.success && faults.length === 0) return parsed.data;
  throw faultsError("invalid_option", "Invalid options of startGenApi", faults);
}

function serverFaults({ server, listen }: Readonly<Record<string, unknown>>): string[] {
  return server === undefined || !listen ? [] : ["listen must be left out, or false, when server is given"];
}

function limiterFaults({ rateLimiter }: Readonly<Record<string, unknown>>): string[] {
  return checkRateLimiterOptions(Object(rateLimiter) as RateLimiterOptions).map((fault) => `rateLimiter.${fault}`);
}

/** What is wrong inside the given FunConfigs, and services whose module nobody names. */
function functionFaults({ functions, modules }: Readonly<Record<string, unknown>>): string[] {
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

function isObserver(value: unknown): boolean {
  return typeof value === "function" || typeof (value as { next?: unknown } | null)?.next === "function";
}

/** A nested object that may be left out: its own defaults apply. */
function section<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((value) => value ?? {}, schema);
}

function text() {
  return z.string({ error: must("a non-empty string") }).min(1, { error: must("a non-empty string") });
}

function flag() {
  return z.boolean({ error: must("true or false") });
}

function count(min: number) {
  return described(z.int().min(min), `a whole number of at least ${min}`);
}
