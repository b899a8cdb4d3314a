import type {
  AdminOptions,
  ApiRateLimit,
  ChannelOptions,
  DrainOptions,
  FrameLimit,
  GatewayOptions,
  HeartbeatOptions,
  IdempotencyOptions,
  IntensityOptions,
  ProgramOptions,
  RateLimiterOptions,
  ServiceConfigInput,
  ServiceNodeOptions,
  SocketOptions,
  StreamsOptions,
  WorkerPoolOptions,
} from "gen-api";

import type { GatewayLinkOptions, NodeLinkOptions } from "gen-api/link";
import type { MetricsOptions } from "gen-api/metrics";
import type { NatsOptions } from "gen-api/nats";
import type { TracingOptions } from "gen-api/tracing";

/** The tables of docs/options.md by their headings, and what each has to list. */
export interface OptionTables {
  Programs: ProgramOptions;
  workerPool: WorkerPoolOptions;
  intensity: IntensityOptions;
  startGenApi: Omit<GatewayOptions, keyof ProgramOptions>;
  socket: SocketOptions;
  frameLimit: FrameLimit;
  channels: ChannelOptions;
  drain: DrainOptions;
  streams: StreamsOptions;
  idempotency: IdempotencyOptions;
  rateLimiter: RateLimiterOptions;
  limits: ApiRateLimit;
  heartbeat: HeartbeatOptions;
  serviceConfigs: ServiceConfigInput;
  admin: AdminOptions;
  startServiceNode: Omit<ServiceNodeOptions, Exclude<keyof ProgramOptions, "functions">>;
  "link of a gateway": GatewayLinkOptions;
  "link of a node": NodeLinkOptions;
  nats: NatsOptions;
  metrics: MetricsOptions;
  tracing: TracingOptions;
}
