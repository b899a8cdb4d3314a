// The gateway

export type { InspectionObserver } from "./actor/inspect.ts";
// Supervision
export type { Closed } from "./actor/system.ts";
export type { TreeNode } from "./actor/tree.ts";
export type { ArgOptions, ArgOrders, ArgType, ArgTypeName, ArgTypes } from "./arguments/declarations.ts";
export type { HookRequest } from "./call/hook-request.ts";
export type { HostCallOptions, HostRequest } from "./call/host-calls.ts";
export type { Response } from "./call/response.ts";
export type { Missing } from "./config/config-store.ts";
// Functions
export {
  type ArgsOf,
  defineService,
  type FunctionDefinition,
  type Service,
} from "./config/define-service.ts";
export {
  type FunConfig,
  type FunConfigInput,
  type FunConfigValidation,
  isValidFunConfig,
  validateFunConfig,
} from "./config/fun-config.ts";
export { type Clock, systemClock } from "./core/clock.ts";
// Errors
export { type ErrorCode, GenApiError, type GenApiErrorOptions, isGenApiError } from "./core/errors.ts";
export type { RequestIdentity, RequestInfo, TraceContext } from "./core/request-info.ts";
export type { ResponseStream } from "./core/response-stream.ts";
// Limits
export type {
  ApiRateLimit,
  RateLimit,
  RateLimitedRequest,
  RateLimitScope,
  RateLimitValue,
  ScopedRateLimit,
} from "./policy/rate-limit.ts";
export type { RateLimitAllowed, RateLimitDecision, RateLimitRefused } from "./policy/rate-limit-decision.ts";
export type { RateLimiterStatistics, RateLimitStatus } from "./policy/rate-limiter.ts";
export type { RateLimiterApi } from "./policy/rate-limiter-api.ts";
export type { RateLimiterConfig, RateLimiterOptions } from "./policy/rate-limiter-options.ts";
export type { ConfigCache, ConfigCacheStatus } from "./runtime/config-cache.ts";
export { startGenApi } from "./runtime/gateway.ts";
export type { AdminAction, GenApiOptions, IntensityOptions, WorkerPoolOptions } from "./runtime/options.ts";
export type { Runtime } from "./runtime/runtime.ts";
export type { Assigns } from "./socket/assigns.ts";
// Clients
export {
  type ChannelOptions,
  type ChannelSocket,
  defineChannel,
  JoinRefused,
  type JoinRequest,
} from "./socket/channel.ts";
export type { ListenAddress } from "./socket/http-server.ts";
export type { ConnectRequest, SocketOptions } from "./socket/socket-options.ts";
export type { TelemetryEvents } from "./telemetry/events.ts";
// Telemetry
export type { EventName, TelemetryMessage } from "./telemetry/telemetry.ts";
