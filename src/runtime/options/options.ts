import type { Server } from "node:http";
import { z } from "zod";
import type { IdempotencyOptions } from "../../call/idempotency/idempotency-options.ts";
import type { StreamsOptions } from "../../call/resume/streams-options.ts";
import { jsonFault } from "../../config/carried-values.ts";
import { allowlistFault } from "../../config/module-allowlist.ts";
import { described, either, faultsError, faultsOf, must, namesKeys } from "../../core/faults.ts";
import { isMap } from "../../core/is-map.ts";
import { reading } from "../../core/unreadable.ts";
import type { Metrics } from "../../metrics/metrics-option.ts";
import { gatewaySessionDefaults } from "../../node/gateway-session.ts";
import type { PushToken } from "../../node/greeting/push-token.ts";
import { defaultNodeGraceMs } from "../../node/node-monitor.actor.ts";
import type { NodeTransport } from "../../node/node-transport.ts";
import { checkRateLimiterOptions, type RateLimiterOptions } from "../../policy/rate-limiter/rate-limiter-options.ts";
import type { ChannelOptions } from "../../socket/channels/channel.ts";
import type { DrainOptions } from "../../socket/drain-options.ts";
import type { SocketOptions } from "../../socket/handshake/socket-options.ts";
import { pushDefaults } from "../../sync/push/push.ts";
import { type ServiceConfigInput, serviceConfigSchema } from "../../sync/service-config.ts";
import { type AdminOptions, adminSchema } from "./admin-options.ts";
import { channelSchema, drainSchema, idempotencySchema, socketSchema, streamsSchema } from "./client-options.ts";
import {
  clusterSchema,
  type HeartbeatOptions,
  heartbeatSchema,
  nodeStreamWindowSchema,
  pushTokenSchema,
} from "./cluster-options.ts";
import { functionFaults } from "./function-faults.ts";
import { modulesOf } from "./given-functions.ts";
import { type HostServer, hostServerFault } from "./host-server.ts";
import { adapter, flag, milliseconds, peerName, positive, section, text } from "./option-schemas.ts";
import { type ProgramOptions, programSchema } from "./program-options.ts";

const adminActions = ["push_config", "update_rate_limit_config", "change_detail_error", "call", "reload"] as const;

/**
 * An action that the host must allow: `gateway.pushConfig`, `gateway.rateLimiter.updateConfig`,
 * `gateway.setDetailError`. `"call"` lets holders of the admin listener's token call functions, as any user; `"reload"`
 * lets them reload services. The host itself may do both without.
 */
export type AdminAction = (typeof adminActions)[number];

/** The options of {@link startGenApi}. */
export interface GatewayOptions extends ProgramOptions {
  /** This gateway's name, as telemetry and other nodes know it. @default "gen_api@127.0.0.1" */
  readonly name?: string;
  /**
   * Opens an HTTP server for clients, and for nodes over `link()`. Port 0 takes any free port; false opens none.
   * @default false; host "127.0.0.1" and port 4000 when left out
   */
  readonly listen?: { readonly host?: string; readonly port?: number } | false;
  /**
   * Mounts the gateway on the host's own server instead. The gateway answers only its own paths, and never closes the
   * server. Without `listen` and `server`, it serves the sockets that the host passes to {@link Gateway.handleUpgrade}.
   */
  readonly server?: HostServer;
  /** The clients' WebSocket endpoint. */
  readonly socket?: SocketOptions;
  /** The channels that clients can join; the first match wins. @default none */
  readonly channels?: readonly ChannelOptions[];
  /** How fast the gateway closes its clients' sockets when it stops. */
  readonly drain?: DrainOptions;
  /** Streams that outlive their socket. */
  readonly streams?: StreamsOptions;
  /** Calls with an `idempotency_key`. */
  readonly idempotency?: IdempotencyOptions;
  /** Sends clients the message behind an `internal` error. For development. @default false */
  readonly detailError?: boolean;
  /** How deep functions may call functions. @default 16 */
  readonly maxCallDepth?: number;
  /** Limits on how often requests may come. @default none */
  readonly rateLimiter?: RateLimiterOptions;
  /** How service nodes reach this gateway: `link()` or `nats({ servers, signingKey })`. @default no service nodes */
  readonly cluster?: NodeTransport;
  /**
   * The secret that service nodes must prove they know: one secret, a list of valid secrets, or one per service.
   * @default none: nodes must be on this machine
   */
  readonly pushToken?: PushToken | undefined;
  /**
   * Services whose functions are `unavailable`, rather than `not_found`, as long as they have no functions. `/readyz` fails
   * during that time, and when all nodes of one are gone for longer than `nodeGraceMs`. @default []
   */
  readonly expectServices?: readonly string[];
  /** Services whose functions the gateway pulls from nodes. @default [] */
  readonly serviceConfigs?: readonly ServiceConfigInput[];
  /** The time between two pulls, milliseconds. @default 30_000 */
  readonly pullIntervalMs?: number;
  /** How long each of a pull's calls to a node may take, milliseconds. @default 5_000 */
  readonly pullTimeoutMs?: number;
  /** Modules of this gateway that FunConfigs of nodes may name for hooks and resolvers. @default [] */
  readonly pushableModules?: readonly string[];
  /**
   * How long a node that left may take to come back, milliseconds. After that, the gateway forgets its functions if the
   * node stopped in good order or other nodes of the service are there; otherwise they stay, `unavailable`.
   * @default 60_000
   */
  readonly nodeGraceMs?: number;
  /** How the gateway finds lost nodes. */
  readonly heartbeat?: HeartbeatOptions;
  /** At most this many calls and streams at one node, up to 65 536; further ones are `unavailable`. @default 10_000 */
  readonly maxNodeRequestsInFlight?: number;
  /**
   * How many chunks of each stream may be on their way from a node to the client's socket, up to 2_048, each with 32 KiB
   * of JSON. If the client does not read, the gateway holds them in memory. A stream advances by at most one window per
   * round trip between node and gateway. @default 32
   */
  readonly nodeStreamWindow?: number;
  /** At most this many functions in one push or pull. @default 10_000 */
  readonly maxFunctionsPerPush?: number;
  /** The largest FunConfig that a node may send, bytes of JSON. @default 131_072 */
  readonly maxConfigBytes?: number;
  /** Actions at run time that are refused unless listed here. @default [] */
  readonly adminActions?: readonly AdminAction[];
  /** A separate listener for operators: JSON, and the command-line tool `gen-api`. @default none */
  readonly admin?: AdminOptions;
  /** Prometheus metrics: `metrics()` of `gen-api/metrics`. The `admin` listener serves them at `/metrics`. @default none */
  readonly metrics?: Metrics;
}

const port = described(z.int().min(0).max(65_535), "a port from 0 to 65535");
const host = described(z.string().min(1), 'a host such as "127.0.0.1"');

const listenSchema = either(
  isMap,
  z.strictObject({ host: host.default("127.0.0.1"), port: port.default(4000) }),
  described(z.literal(false), "false or {host, port} with a port from 0 to 65535"),
);

const checkedServer = z.custom<Server>().superRefine((value, context) => {
  const message = hostServerFault(value);
  if (message !== null) context.addIssue({ code: "custom", message, input: value });
});

// checkRateLimiterOptions reports the faults inside it.
const limiterSchema = z.strictObject({
  enabled: z.custom<RateLimiterOptions["enabled"]>().optional(),
  failOpen: z.custom<RateLimiterOptions["failOpen"]>().optional(),
  countNested: z.custom<RateLimiterOptions["countNested"]>().optional(),
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
  pullIntervalMs: milliseconds.default(30_000),
  pullTimeoutMs: milliseconds.default(5_000),
  pushableModules: z.array(text(), { error: must("a list of module names") }).default([]),
  nodeGraceMs: milliseconds.default(defaultNodeGraceMs),
  heartbeat: heartbeatSchema,
  nodeStreamWindow: nodeStreamWindowSchema,
  maxNodeRequestsInFlight: positive.default(gatewaySessionDefaults.maxInFlight),
  maxFunctionsPerPush: positive.default(pushDefaults.maxFunctions),
  maxConfigBytes: positive.default(pushDefaults.maxConfigBytes),
  name: peerName().default("gen_api@127.0.0.1"),
  listen: listenSchema.optional(),
  server: checkedServer.optional(),
  socket: section(socketSchema),
  channels: z.array(channelSchema, { error: must("a list of channels") }).default([]),
  drain: section(drainSchema),
  streams: section(streamsSchema),
  idempotency: section(idempotencySchema),
  detailError: flag().default(false),
  maxCallDepth: positive.default(16),
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

/** {@link GatewayOptions}, checked and with every default in place. */
export type ResolvedOptions = z.output<typeof optionsSchema>;

const what = "Invalid options of startGenApi";

/**
 * Checks options and fills in the defaults.
 * @throws GenApiError `invalid_option`, one for all, that lists every fault by its path
 */
export function resolveOptions(options: unknown): ResolvedOptions {
  return reading("invalid_option", what, options, () => parseOptions(options));
}

function parseOptions(options: unknown): ResolvedOptions {
  const parsed = optionsSchema.safeParse(options, namesKeys);
  const given = Object(options) as Readonly<Record<string, unknown>>;
  const faults = [
    ...(parsed.success ? [] : faultsOf(parsed.error)),
    ...serverFaults(given),
    ...limiterFaults(given),
    ...functionFaults(given),
    ...(parsed.success ? clusterFaults(parsed.data) : []),
  ];
  if (parsed.success && faults.length === 0) return parsed.data;
  throw faultsError("invalid_option", what, faults);
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
    ...serviceConfigs.flatMap(({ nodes, args, versionArgs }, index) => {
      const path = `serviceConfigs[${index}]`;
      const isResolver = "module" in nodes;
      return [
        isResolver ? allowlistFault(`${path}.nodes`, nodes, { modules, mfaAllowlist }, "gateway") : null,
        jsonFault(args ?? [], `${path}.args`),
        jsonFault(versionArgs ?? [], `${path}.versionArgs`),
      ].filter((fault) => fault !== null);
    }),
  ];
}

function serverFaults(given: Readonly<Record<string, unknown>>): string[] {
  const { server, listen } = given;
  if (server !== undefined) return listen ? ["listen must be left out, or false, when server is given"] : [];
  // An application that has no such field, or not yet, would be served by nobody.
  return "server" in given && listen === undefined ? [`server ${hostServerFault(server)}`] : [];
}

function limiterFaults({ rateLimiter }: Readonly<Record<string, unknown>>): string[] {
  return checkRateLimiterOptions(Object(rateLimiter) as RateLimiterOptions).map((fault) => `rateLimiter.${fault}`);
}
