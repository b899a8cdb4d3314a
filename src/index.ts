// The gateway

export type { Closed } from "./actor/closed.ts";
export type { HostCallOptions, HostRequest } from "./call/host/host-calls.ts";
export type { IdempotencyOptions } from "./call/idempotency/idempotency-options.ts";
export type { Response } from "./call/request/response.ts";
export type { StreamsOptions } from "./call/resume/streams-options.ts";
export { type Clock, systemClock } from "./core/time/clock.ts";
export type { PushToken } from "./node/greeting/push-token.ts";
export type { NodeTransport } from "./node/node-transport.ts";
export type { Gateway, HostPush } from "./runtime/api/gateway.ts";
export type { AdminOptions } from "./runtime/options/admin-options.ts";
export type { HeartbeatOptions } from "./runtime/options/cluster-options.ts";
export type { HostServer } from "./runtime/options/host-server.ts";
export type { AdminAction, GatewayOptions } from "./runtime/options/options.ts";
export type { IntensityOptions, ProgramOptions, WorkerPoolOptions } from "./runtime/options/program-options.ts";
export type { Reloaded, ReloadOptions } from "./runtime/options/reload-options.ts";
export type { NodeFunConfigInput, ServiceNodeOptions } from "./runtime/options/service-node-options.ts";
export type { DrainTime, StopOptions } from "./runtime/options/stop-options.ts";
export type { FromGateway, ServiceNode } from "./runtime/service-node/service-node.ts";
export { startGenApi, startServiceNode } from "./runtime/start.ts";
export type { PushedService } from "./sync/push/config-pusher.ts";
export type { ServiceConfigInput } from "./sync/service-config.ts";

// Functions

export type {
  ArgOptions,
  ArgOrders,
  ArgType,
  ArgTypeName,
  ArgTypes,
  SchemaArguments,
} from "./arguments/declarations.ts";
export type { HookRequest } from "./call/hook-request.ts";
export { defineService } from "./config/define-service.ts";
export {
  type FunConfig,
  type FunConfigInput,
  type FunConfigValidation,
  type FunctionHints,
  isValidFunConfig,
  type ModuleFunction,
  type ModuleFunctionInput,
  validateFunConfig,
} from "./config/fun-config.ts";
export type { ArgsOf, FunctionDefinition, Service } from "./config/service-types.ts";
export type { Claims, RequestIdentity, RequestInfo, TraceContext } from "./core/request-info.ts";
export type { ResponseStream } from "./core/response-stream.ts";
export type { ServiceFunction } from "./execution/load-function.ts";

// The table of functions, and what nodes push

export type { Missing, RegisteredBy } from "./config/function-table.ts";
export type { NodeStatus } from "./node/node-table.ts";
export type { ConfigCache } from "./runtime/api/config-cache.ts";
export type { Nodes } from "./runtime/api/nodes.ts";
export type { FailedConfig, FailedConfigsSummary } from "./sync/push/failed-configs.ts";
export type { PullSource, PushOutcome, RefusedConfig, VerifyOutcome } from "./sync/push/push.ts";
export type { PushedServiceStatus } from "./sync/sets/function-sets.ts";

// Clients

export {
  type ChannelOptions,
  type ChannelSocket,
  defineChannel,
  JoinRefused,
  type JoinRequest,
} from "./socket/channels/channel.ts";
export type { EventFunction } from "./socket/channels/channel-events.ts";
export { Joined, type JoinedOptions } from "./socket/channels/joined.ts";
export type { DrainOptions } from "./socket/drain-options.ts";
export type { Assigns } from "./socket/handshake/assigns.ts";
export type { TrustProxy } from "./socket/handshake/client-address.ts";
export { ConnectRefused, type ConnectRefusedOptions } from "./socket/handshake/connect-refused.ts";
export type { AllowedOrigins } from "./socket/handshake/origin.ts";
export type { QueryParams } from "./socket/handshake/query-params.ts";
export type { ConnectRequest, SocketOptions } from "./socket/handshake/socket-options.ts";
export type { ListenAddress } from "./socket/http-server.ts";
export type { FrameLimit } from "./socket/inbound/frame-limit.ts";
export type { BroadcastOptions, PushOptions } from "./socket/pushes/push-options.ts";
export type { PushTarget } from "./socket/pushes/push-targets.ts";

// Descriptions

export type { JsonSchema } from "./arguments/json-schema.ts";
export type { StandardIssue, StandardResult, StandardSchema } from "./config/standard-schema.ts";
export type {
  ArgumentDescription,
  ChannelDescription,
  DescribedIdentity,
  FunctionDescription,
  FunctionLimits,
  GatewayDescription,
  RateLimitDescription,
  ServiceDescription,
} from "./description/gateway-description.ts";

// Limits

export type {
  ApiRateLimit,
  RateLimit,
  RateLimitedRequest,
  RateLimitReset,
  RateLimitScope,
  RateLimitValue,
  ScopedRateLimit,
} from "./policy/rate-limiter/rate-limit.ts";
export type {
  RateLimitAllowed,
  RateLimitDecision,
  RateLimitRefused,
} from "./policy/rate-limiter/rate-limit-decision.ts";
export type { RateLimiterStatistics, RateLimitStatus } from "./policy/rate-limiter/rate-limiter.ts";
export type { RateLimiterApi } from "./policy/rate-limiter/rate-limiter-api.ts";
export type { RateLimiterConfig, RateLimiterOptions } from "./policy/rate-limiter/rate-limiter-options.ts";

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
} from "./actor/inspection/inspection.ts";
export type { Redact } from "./actor/inspection/plain-data.ts";
export type { ChildStatus, TreeNode } from "./actor/supervisor/tree-node.ts";
export type { AdminListen } from "./admin/admin-server.ts";
export type { RequestTotals } from "./call/request/request-counts.ts";
export type { StageName } from "./call/stages/stage-text.ts";
export type { CacheStatus } from "./diagnostics/cache-status.ts";
export type { CallFlow, CallFlowSummary, FlowStage } from "./diagnostics/call-flow.ts";
export type { ClusterView, ServiceNodeView, ServiceView } from "./diagnostics/cluster-view.ts";
export type { Diagnostics } from "./diagnostics/diagnostics.ts";
export type { EventLoopStatistics } from "./diagnostics/event-loop.ts";
export type { Health, HealthCode, HealthReason } from "./diagnostics/health.ts";
export type { InspectedStage, RequestInspection } from "./diagnostics/inspect-request.ts";
export type { PushTotals, ReloadTotals, Statistics } from "./diagnostics/statistics.ts";
export type { OpenCircuit, WorkerPoolStatus } from "./worker/worker-pool-options.ts";

// Telemetry

export type { TelemetryHandler } from "./telemetry/attachment.ts";
export type { TelemetryEvents } from "./telemetry/events.ts";
export type { LogLevel } from "./telemetry/log/log-lines.ts";
export type { Logger, LoggerOption } from "./telemetry/log/logger.ts";
export type { EventName, TelemetryMessage } from "./telemetry/telemetry.ts";
export { type EventPattern, type EventsOf, type Telemetry, telemetry } from "./telemetry/telemetry-api.ts";
