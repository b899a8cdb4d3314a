import type { Server } from "node:http";
import { z } from "zod";
import { allowlistFault } from "../config/module-allowlist.ts";
import { pushDefaults } from "../config/push.ts";
import { type ServiceConfigInput, serviceConfigSchema } from "../config/service-config.ts";
import { described, faultsError, faultsOf, must } from "../core/faults.ts";
import type { Metrics } from "../metrics/metrics-option.ts";
import { defaultNodeGraceMs } from "../node/node-monitor.actor.ts";
import { nodeSessionDefaults } from "../node/node-session.ts";
import type { PushToken } from "../node/push-token.ts";
import type { NodeTransport } from "../node/transport.ts";
import { checkRateLimiterOptions, type RateLimiterOptions } from "../policy/rate-limiter-options.ts";
import type { ChannelOptions } from "../socket/channel.ts";
import type { SocketOptions } from "../socket/socket-options.ts";
import { type AdminOptions, adminSchema } from "./admin-options.ts";
import { channelSchema, socketSchema } from "./client-options.ts";
import { clusterSchema, type HeartbeatOptions, heartbeatSchema, pushTokenSchema } from "./cluster-options.ts";
import { modulesOf } from "./modules.ts";
import { adapter, flag, milliseconds, peerName, positive, section, text } from "./option-schemas.ts";
import { functionFaults, type ProgramOptions, programSchema } from "./program-options.ts";

const adminActions = ["push_config", "update_rate_limit_config", "change_detail_error", "call"] as const;

/**
 * A change at run time that a host has to allow: `runtime.pushConfig`, `runtime.rateLimiter.updateConfig`,
 * `runtime.setDetailError`; `"call"` lets whoever has the admin listener's token call functions, as anybody.
 */
export type AdminAction = (typeof adminActions)[number];

/** What {@link startGenApi} takes. */
export interface GenApiOptions extends ProgramOptions {
  /** This gateway's name, as telemetry and other nodes know it. @default "gen_api@127.0.0.1" */
  readonly name?: string;
  /**
   * An own HTTP server for clients, and for nodes over `link()`: port 0 takes any free one; false listens nowhere.
   * @default false; of what it leaves out, host "127.0.0.1" and port 4000
   */
  readonly listen?: { readonly host?: string; readonly port?: number } | false;
  /** Mount on the host's own server instead: only our paths are answered, and it is never closed by us. */
  readonly server?: Server;
  /** The clients' WebSocket endpoint. */
  readonly socket?: SocketOptions;
  /** The channels that clients can join, the first match is taken. @default none */
  readonly channels?: readonly ChannelOptions[];
  /** Tells clients the message behind an `internal` error. For development. @default false */
  readonly detailError?: boolean;
  /** Limits on how often requests may come. @default none */
  readonly rateLimiter?: RateLimiterOptions;
  /** How service nodes reach this gateway: `link()` or `nats({ servers, signingKey })`. @default no service nodes */
  readonly cluster?: NodeTransport;
  /**
   * What service nodes prove themselves with: one secret, a list of which each is good, or one per service.
   * @default none: nodes must be on this machine
   */
  readonly pushToken?: PushToken | undefined;
  /** Services whose functions are `unavailable`, rather than `not_found`, until a node has pushed them. @default [] */
  readonly expectServices?: readonly string[];
  /** Services whose functions are pulled from nodes. @default [] */
  readonly serviceConfigs?: readonly ServiceConfigInput[];
  /** How often they are pulled, milliseconds. @default 30_000 */
  readonly pullInterval?: number;
  /** How long each call of a node for a pull may take, milliseconds. @default 5_000 */
  readonly pullTimeout?: number;
  /** Modules of this gateway that FunConfigs of nodes may name for hooks and resolvers. @default [] */
  readonly pushableModules?: readonly string[];
  /** How long the functions of a node that went are kept, milliseconds. @default 60_000 */
  readonly nodeGraceMs?: number;
  /** How lost nodes are found. */
  readonly heartbeat?: HeartbeatOptions;
  /** Calls and streams at one node at most, up to 65 536; further ones are `unavailable`. @default 10_000 */
  readonly maxNodeRequestsInFlight?: number;
  /** Functions in one push or pull at most. @default 10_000 */
  readonly maxFunctionsPerPush?: number;
  /** Bytes of one FunConfig's JSON at most, of those that nodes send. @default 65_536 */
  readonly maxConfigBytes?: number;
  /** What may be changed at run time that is refused otherwise. @default [] */
  readonly adminActions?: readonly AdminAction[];
  /** A listener of its own for those who run the gateway: JSON, and the command-line tool `gen-api`. @default none */
  readonly admin?: AdminOptions;
  /** Prometheus metrics: `metrics()` of `gen-api/metrics`. With `admin`, its listener answers `/metrics`. @default none */
  readonly metrics?: Metrics;
}

const listenSchema = described(
  z.union([
    z.literal(false),
    z.strictObject({ host: z.string().min(1).default("127.0.0.1"), port: z.int().min(0).max(65_535).default(4000) }),
  ]),
  "false or {host, port} with a port from 0 to 65535",
);

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
  ...programSchema,
  cluster: clusterSchema.optional(),
  pushToken: pushTokenSchema.optional(),
  expectServices: z.array(text(), { error: must("a list of services") }).default([]),
  serviceConfigs: z.array(serviceConfigSchema, { error: must("a list of services to pull") }).default([]),
  pullInterval: milliseconds.default(30_000),
  pullTimeout: milliseconds.default(5_000),
  pushableModules: z.array(text(), { error: must("a list of module names") }).default([]),
  nodeGraceMs: milliseconds.default(defaultNodeGraceMs),
  heartbeat: heartbeatSchema,
  maxNodeRequestsInFlight: positive.default(nodeSessionDefaults.maxInFlight),
  maxFunctionsPerPush: positive.default(pushDefaults.maxFunctions),
  maxConfigBytes: positive.default(pushDefaults.maxConfigBytes),
  name: peerName().default("gen_api@127.0.0.1"),
  listen: listenSchema.optional(),
  server: z
    .custom<Server>((value) => typeof (value as Server | null)?.on === "function", {
      error: must("an http.Server or https.Server"),
    })
    .optional(),
  socket: section(socketSchema),
  channels: z.array(channelSchema, { error: must("a list of channels") }).default([]),
  detailError: flag().default(false),
  rateLimiter: section(limiterSchema),
  adminActions: z
    .array(z.enum(adminActions, { error: must(adminActions.map((name) => JSON.stringify(name)).join(" or ")) }), {
      error: must("a list of admin actions"),
    })
    .transform((names) => new Set<AdminAction>(names))
    .default(() => new Set<AdminAction>()),
  admin: adminSchema.optional(),
  metrics: adapter<Metrics>("metrics() of gen-api/metrics"),
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
    ...(parsed.success ? clusterFaults(parsed.data) : []),
  ];
  if (parsed.success && faults.length === 0) return parsed.data;
  throw faultsError("invalid_option", "Invalid options of startGenApi", faults);
}

/** What needs nodes and has none, what the transport says of its own options, and modules that are not there. */
function clusterFaults({ cluster, pushToken, expectServices, serviceConfigs, ...options }: ResolvedOptions): string[] {
  const { functions, pushableModules, mfaAllowlist } = options;
  const modules = modulesOf({ modules: options.modules, functions });
  const missing = "must be left out without cluster: no service node can connect";
  const unknown = (path: string, module: string) =>
    modules.has(module) ? [] : [`${path} must be one of the gateway's modules, got ${JSON.stringify(module)}`];
  return [
    ...(cluster?.gatewayFaults({ hasToken: pushToken !== undefined }) ?? []),
    ...(cluster === undefined && expectServices.length > 0 ? [`expectServices ${missing}`] : []),
    ...(cluster === undefined && serviceConfigs.length > 0 ? [`serviceConfigs ${missing}`] : []),
    ...pushableModules.flatMap((module, index) => unknown(`pushableModules[${index}]`, module)),
    ...serviceConfigs.flatMap(({ nodes }, index) => {
      const path = `serviceConfigs[${index}].nodes`;
      return "module" in nodes ? (allowlistFault(path, nodes, { modules, mfaAllowlist }, "gateway") ?? []) : [];
    }),
  ];
}

function serverFaults({ server, listen }: Readonly<Record<string, unknown>>): string[] {
  return server === undefined || !listen ? [] : ["listen must be left out, or false, when server is given"];
}

function limiterFaults({ rateLimiter }: Readonly<Record<string, unknown>>): string[] {
  return checkRateLimiterOptions(Object(rateLimiter) as RateLimiterOptions).map((fault) => `rateLimiter.${fault}`);
}
