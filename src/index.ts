// The gateway

export type { Closed } from "./actor/closed.ts";
export type { HostCallOptions, HostRequest } from "./call/host-calls.ts";
export type { Response } from "./call/response.ts";
export type { PushedService } from "./config/config-pusher.ts";
export type { ServiceConfigInput } from "./config/service-config.ts";
export { type Clock, systemClock } from "./core/clock.ts";
export type { PushToken } from "./node/push-token.ts";
export type { NodeTransport } from "./node/transport.ts";
export type { AdminOptions } from "./runtime/admin-options.ts";
export type { HeartbeatOptions } from "./runtime/cluster-options.ts";
export type { AdminAction, GenApiOptions } from "./runtime/options.ts";
export type { IntensityOptions, ProgramOptions, WorkerPoolOptions } from "./runtime/program-options.ts";
export type { HostPush, Runtime } from "./runtime/runtime.ts";
export type { FromGateway, ServiceNode } from "./runtime/service-node.ts";
export type { NodeFunConfigInput, ServiceNodeOptions } from "./runtime/service-node-options.ts";
export { startGenApi, startServiceNode } from "./runtime/start.ts";

// Functions

export type { ArgOptions, ArgOrders, ArgType, ArgTypeName, ArgTypes } from "./arguments/declarations.ts";
export type { HookRequest } from "./call/hook-request.ts";
export { type ArgsOf, defineService, type FunctionDefinition, type Service } from "./config/define-service.ts";
export {
  type FunConfig,
  type FunConfigInput,
  type FunConfigValidation,
  isValidFunConfig,
  type ModuleFunction,
  type ModuleFunctionInput,
  validateFunConfig,
} from "./config/fun-config.ts";
export type { RequestIdentity, RequestInfo, TraceContext } from "./core/request-info.ts";
export type { ResponseStream } from "./core/response-stream.ts";

// The table of functions, and what nodes push

export type { Missing, Origin } from "./config/config-store.ts";
export type { FailedConfig, FailedConfigsSummary } from "./config/failed-configs.ts";
export type { PushedServiceStatus } from "./config/function-sets.ts";
export type { PullSource, PushOutcome, RefusedConfig, VerifyOutcome } from "./config/push.ts";
export type { NodeStatus } from "./node/node-table.ts";
export type { ConfigCache, ConfigCacheStatus } from "./runtime/config-cache.ts";
export type { Nodes } from "./runtime/nodes.ts";

// Clients

export type { Assigns } from "./socket/assigns.ts";
export {
  type ChannelOptions,
  type ChannelSocket,
  defineChannel,
  JoinRefused,
  type JoinRequest,
} from "./socket/channel.ts";
export type { TrustProxy } from "./socket/client-address.ts";
export type { ListenAddress } from "./socket/http-server.ts";
export type { AllowedOrigins } from "./socket/origin.ts";
export type { QueryParams } from "./socket/query-params.ts";
export type { ConnectRequest, SocketOptions } from "./socket/socket-options.ts";

// Limits

export type {
  ApiRateLimit,
  RateLimit,
  RateLimitedRequest,
  RateLimitReset,
  RateLimitScope,
  RateLimitValue,
  ScopedRateLimit,
} from "./policy/rate-limit.ts";
export type { RateLimitAllowed, RateLimitDecision, RateLimitRefused } from "./policy/rate-limit-decision.ts";
export type { RateLimiterStatistics, RateLimitStatus } from "./policy/rate-limiter.ts";
export type { RateLimiterApi } from "./policy/rate-limiter-api.ts";
export type { RateLimiterConfig, RateLimiterOptions } from "./policy/rate-limiter-options.ts";

// Errors

export { type ErrorCode, GenApiError, type GenApiErrorOptions, isGenApiError } from "./core/errors.ts";

// Looking in

export type {
  Behaviour,
  InspectedActor,
  InspectedEvent,
  InspectedMessage,
  InspectedSnapshot,
  Inspection,
  InspectionObserver,
} from "./actor/inspection.ts";
export type { Redact } from "./actor/plain-data.ts";
export type { ChildStatus, TreeNode } from "./actor/tree-node.ts";
export type { RequestTotals } from "./call/request-counts.ts";
export type { AdminListen } from "./diagnostics/admin-server.ts";
export type { CacheStatus } from "./diagnostics/cache-status.ts";
export type { CallFlow, CallFlowSummary, FlowStage } from "./diagnostics/call-flow.ts";
export type { ClusterView, ServiceNodeView, ServiceView } from "./diagnostics/cluster-view.ts";
export type { EventLoopStatistics } from "./diagnostics/event-loop.ts";
export type { Health, HealthCode, HealthReason } from "./diagnostics/health.ts";
export type { InspectedRequest, InspectedStage, RequestInspection } from "./diagnostics/inspect-request.ts";
export type { StageName } from "./diagnostics/stages.ts";
export type { Statistics } from "./diagnostics/statistics.ts";
export type { OpenCircuit, WorkerPoolStatus } from "./worker/worker-pool-options.ts";

// Telemetry

export type { TelemetryHandler } from "./telemetry/attachment.ts";
export type { TelemetryEvents } from "./telemetry/events.ts";
export type { LogLevel } from "./telemetry/log-lines.ts";
export type { Logger, LoggerOption } from "./telemetry/logger.ts";
export type { EventName, TelemetryMessage } from "./telemetry/telemetry.ts";
export { type Telemetry, telemetry } from "./telemetry/telemetry-api.ts";
