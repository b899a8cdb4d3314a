import { type ErrorCode, type GenApiError, isGenApiError } from "../../core/errors.ts";
import type { EventName, TelemetryMessage } from "../telemetry.ts";

/** Levels of a line, the least important first. */
export const logLevels = ["debug", "info", "warn", "error"] as const;

/** One of {@link logLevels}. */
export type LogLevel = (typeof logLevels)[number];

/** The line of an event. */
interface LogLine<Name extends EventName> {
  readonly level: LogLevel;
  readonly message: string;
  /** Another level for some of its occurrences. */
  readonly or?: {
    readonly level: LogLevel;
    when(message: TelemetryMessage<Name>): boolean;
    /** For events that clients can cause at will: occurrences beyond this get the level of the others. */
    readonly maxPerMinute?: number;
  };
}

/** Failures of requests that another event of the same request reports at a higher level: one line is enough. */
const toldByAnother: ReadonlySet<string | null> = new Set<ErrorCode>(["internal", "hook_rejected", "retry_exhausted"]);

/** Whether a reload failed because of the new code, rather than because of when or how it was asked for. */
function isOfCode({ code }: GenApiError): boolean {
  return code === "module_unreadable" || code === "function_missing" || code === "invalid_config";
}

/**
 * The line of every event. `error`: a bug in someone's code. `warn`: something was lost or held back that may have gone
 * unnoticed. `info`: rare changes, arrivals and departures, and failed requests. `debug`: the steps of each request.
 */
export const logLines: { readonly [Name in EventName]: LogLine<Name> } = {
  "executor.request.start": { level: "debug", message: "Request received" },
  "executor.request.stop": {
    level: "debug",
    message: "Request answered",
    or: { level: "info", when: ({ metadata }) => !metadata.success && !toldByAnother.has(metadata.error_code) },
  },
  "executor.request.exception": { level: "error", message: "Exception in a request" },
  "executor.attempt.start": { level: "debug", message: "Function called" },
  "executor.attempt.stop": { level: "debug", message: "Function ended" },
  "hook.before.start": { level: "debug", message: "Hook before a request started" },
  "hook.before.stop": { level: "debug", message: "Hook before a request ended" },
  "hook.before.exception": {
    level: "warn",
    message: "Hook refused a request",
    or: { level: "info", when: ({ metadata }) => isGenApiError(metadata.error) },
  },
  "hook.after.start": { level: "debug", message: "Hook after a request started" },
  "hook.after.stop": { level: "debug", message: "Hook after a request ended" },
  "hook.after.exception": { level: "error", message: "Hook after a request failed" },
  "executor.request.rejected": { level: "info", message: "Request was refused: its client has too much running" },
  "executor.retry": { level: "info", message: "Request will be retried" },
  "executor.retry.exhausted": { level: "warn", message: "Request failed after its last retry" },
  "executor.resolver.exception": { level: "error", message: "Resolver of nodes failed" },
  "worker_pool.task.start": { level: "debug", message: "Task started" },
  "worker_pool.task.stop": { level: "debug", message: "Task ended" },
  // The event of the request, or of the gateway's call, reports it too.
  "worker_pool.task.exception": { level: "debug", message: "Task failed" },
  "worker_pool.task.rejected": { level: "warn", message: "Task was rejected" },
  "worker_pool.circuit_breaker.open": { level: "warn", message: "Circuit breaker opened" },
  "worker_pool.circuit_breaker.close": { level: "info", message: "Circuit breaker closed" },
  "worker_pool.thread.exit": { level: "error", message: "Worker thread was lost" },
  "worker_pool.thread.stray_error": { level: "error", message: "Function threw outside of any call" },
  "worker_pool.thread.output_dropped": {
    level: "warn",
    message: "Output beyond a thread's limit was dropped",
  },
  "reload.start": { level: "debug", message: "Reload began" },
  "reload.stop": { level: "info", message: "Service was reloaded" },
  "reload.exception": {
    level: "error",
    message: "Reload changed nothing",
    or: { level: "info", when: ({ metadata }) => isGenApiError(metadata.error) && !isOfCode(metadata.error) },
  },
  "rate_limiter.check": { level: "debug", message: "Rate limits checked" },
  "rate_limiter.exceeded": { level: "debug", message: "Rate limit exceeded" },
  "rate_limiter.reset": { level: "info", message: "Rate limits reset" },
  "rate_limiter.cleanup": { level: "debug", message: "Rate limiter forgot idle keys" },
  "config.add": { level: "info", message: "Function registered" },
  "config.batch_add": { level: "info", message: "Functions registered" },
  "config.delete": { level: "info", message: "Function deleted" },
  "config.clear": { level: "info", message: "All functions deleted" },
  "config.enable": { level: "info", message: "Function enabled" },
  "config.disable": { level: "info", message: "Function disabled" },
  "config.push": {
    level: "info",
    message: "Node pushed functions",
    or: { level: "warn", when: ({ measurements }) => measurements.refused > 0 },
  },
  "config.push.conflict": { level: "warn", message: "Different functions were pushed under one version" },
  "config.push.replaced": { level: "warn", message: "A push changes functions that other nodes have too" },
  "config.shared.refused": { level: "warn", message: "Shared entry was ignored" },
  "config.pull.start": { level: "debug", message: "Pull started" },
  "config.pull.stop": {
    level: "debug",
    message: "Pull ended",
    or: {
      level: "warn",
      when: ({ metadata, measurements }) => metadata.outcome === "failed" || measurements.refused > 0,
    },
  },
  "node.link.refuse": { level: "warn", message: "Connection to the link was refused" },
  "node.link.retry": {
    level: "warn",
    message: "Gateway is dialed again",
    // The loss has been reported, and a restarted one is back at once.
    or: { level: "info", when: ({ measurements }) => measurements.attempt === 1 },
  },
  "gateway.up": { level: "info", message: "Connected to a gateway" },
  "gateway.down": {
    level: "warn",
    message: "Session with a gateway ended",
    or: { level: "info", when: ({ metadata }) => metadata.orderly },
  },
  "gateway.refuse": { level: "warn", message: "Gateway refused this node" },
  "gateway.push": {
    level: "info",
    message: "Gateway accepted a push",
    or: { level: "warn", when: ({ measurements }) => measurements.refused > 0 },
  },
  "gateway.push.exception": { level: "error", message: "Push failed" },
  "gateway.call.start": { level: "debug", message: "Function called for a gateway" },
  "gateway.call.stop": { level: "debug", message: "Function ended for a gateway" },
  "gateway.call.exception": { level: "error", message: "Function failed for a gateway" },
  "inspection.observer.exception": { level: "error", message: "Inspection observer failed and was detached" },
  "log.lost": { level: "warn", message: "Lines of the log were lost" },
  "loop.held": { level: "warn", message: "Event loop was held" },
  "clock.exception": { level: "warn", message: "Clock given as an option does not tell the time" },
  "program.start.exception": { level: "error", message: "Program did not start" },
  "telemetry.handler.exception": { level: "error", message: "Telemetry handler failed and was detached" },
  "span.start": { level: "debug", message: "Span started" },
  "span.stop": { level: "debug", message: "Span ended" },
  "span.exception": { level: "error", message: "Span failed" },
  "monitor.exception": { level: "error", message: "Callback of a monitor failed" },
  "supervisor.child.start": { level: "debug", message: "Actor started" },
  "supervisor.child.exit": {
    level: "debug",
    message: "Actor ended",
    or: { level: "error", when: ({ metadata }) => metadata.reason === "error" },
  },
  "supervisor.child.restart": { level: "warn", message: "Actor is restarted" },
  "supervisor.rest": { level: "error", message: "Supervisor rests before it starts its children again" },
  "connection.open": { level: "info", message: "Client connected" },
  "connection.refuse": {
    level: "info",
    message: "Client was refused",
    or: { level: "error", when: ({ metadata }) => metadata.status === 500, maxPerMinute: 10 },
  },
  "connection.close": { level: "info", message: "Client disconnected" },
  "connection.throttle": { level: "warn", message: "Client sends too much and is slowed down" },
  "connection.shed": { level: "warn", message: "Client holds too much memory and is closed" },
  "connection.drop": { level: "warn", message: "Silent sockets were closed" },
  "channel.join": { level: "info", message: "Join answered" },
  "channel.leave": { level: "debug", message: "Channel left" },
  "channel.crash": { level: "warn", message: "Channel crashed" },
  "cluster.lost": { level: "error", message: "Gateway is cut off from its nodes and the other gateways" },
  "cluster.back": { level: "warn", message: "Gateway reaches its nodes and the other gateways again" },
  "node.up": { level: "info", message: "Node connected" },
  "node.down": {
    level: "warn",
    message: "Session with a node ended",
    or: { level: "info", when: ({ metadata, measurements }) => metadata.orderly && measurements.calls_lost === 0 },
  },
  "node.refuse": { level: "warn", message: "Node was refused" },
  "node.call.exception": { level: "error", message: "Gateway threw while it handled a node's answer" },
  "node.transport.error": { level: "warn", message: "Transport between gateways and nodes does not work" },
  "admin.refuse": { level: "warn", message: "Admin request was refused" },
  "admin.exception": { level: "error", message: "Admin request failed" },
  "push.refuse": { level: "warn", message: "A push was refused: too much waits to be sent" },
  "push.send": { level: "debug", message: "A push was sent" },
  "idempotency.evict": { level: "debug", message: "Kept Responses were dropped before their time" },
  "stream.start": { level: "debug", message: "Stream started" },
  "stream.stop": { level: "debug", message: "Stream ended" },
  "stream.detach": { level: "debug", message: "Stream waits for its client" },
  "stream.resume": { level: "debug", message: "Stream resumed" },
  "stream.drop": { level: "info", message: "Stream cannot be resumed any more" },
};

/** The levels that an event's line can have. */
export function levelsOf(name: EventName): LogLevel[] {
  const { level, or } = logLines[name];
  return or === undefined ? [level] : [level, or.level];
}

/**
 * The level of the line of this occurrence.
 * @param isOften whether its event was logged too often for a level of its own
 */
export function levelOf(message: TelemetryMessage, isOften = notOften): LogLevel {
  const { level, or } = logLines[message.event] as LogLine<EventName>;
  if (or === undefined || !or.when(message)) return level;
  return or.maxPerMinute !== undefined && isOften(message.event, or.maxPerMinute) ? level : or.level;
}

const notOften = (_event: EventName, _maxPerMinute: number): boolean => false;
