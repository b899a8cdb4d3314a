import { type ErrorCode, isGenApiError } from "../core/errors.ts";
import type { EventName, TelemetryMessage } from "./telemetry.ts";

/** How much a line matters, least first. */
export const logLevels = ["debug", "info", "warn", "error"] as const;

/** One of {@link logLevels}. */
export type LogLevel = (typeof logLevels)[number];

/** The line of an event. */
interface LogLine<Name extends EventName> {
  readonly level: LogLevel;
  readonly message: string;
  /** Another level, for some of its occurrences. */
  readonly or?: { readonly level: LogLevel; when(message: TelemetryMessage<Name>): boolean };
}

/** Failures of requests that another event tells of, of the same request and at a level above: one line is enough. */
const toldByAnother: ReadonlySet<string | null> = new Set<ErrorCode>(["internal", "hook_rejected", "retry_exhausted"]);

/**
 * The line of every event. `error`: a fault in somebody's code. `warn`: something is lost or held back, and nobody may
 * have noticed. `info`: what changes rarely, who comes and goes, and requests that fail. `debug`: what happens for
 * each request.
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
  "hook.before.exception": { level: "warn", message: "Hook refused a request" },
  "hook.after.start": { level: "debug", message: "Hook after a request started" },
  "hook.after.stop": { level: "debug", message: "Hook after a request ended" },
  "hook.after.exception": { level: "error", message: "Hook after a request failed" },
  "executor.retry": { level: "info", message: "Request is tried again" },
  "executor.retry.exhausted": { level: "warn", message: "Request was tried for the last time" },
  "executor.resolver.exception": { level: "error", message: "Resolver of nodes failed" },
  "worker_pool.task.start": { level: "debug", message: "Task started" },
  "worker_pool.task.stop": { level: "debug", message: "Task ended" },
  "worker_pool.task.exception": {
    level: "warn",
    message: "Task failed",
    or: {
      level: "debug",
      when: ({ metadata }) => isGenApiError(metadata.error) && metadata.error.code === "cancelled",
    },
  },
  "worker_pool.task.rejected": { level: "warn", message: "Task was rejected" },
  "worker_pool.circuit_breaker.open": { level: "warn", message: "Circuit breaker opened" },
  "worker_pool.circuit_breaker.close": { level: "info", message: "Circuit breaker closed" },
  "worker_pool.thread.exit": { level: "error", message: "Worker thread was lost" },
  "worker_pool.thread.stray_error": { level: "error", message: "Function threw where no call waits for it" },
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
  "config.shared.refused": { level: "warn", message: "Shared entry was left out" },
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
  "node.link.retry": { level: "warn", message: "Gateway is dialled again" },
  "gateway.up": { level: "info", message: "Connected to a gateway" },
  "gateway.down": { level: "warn", message: "Session with a gateway ended" },
  "gateway.refuse": { level: "warn", message: "Gateway did not let this node in" },
  "gateway.push": {
    level: "info",
    message: "Gateway took a push",
    or: { level: "warn", when: ({ measurements }) => measurements.refused > 0 },
  },
  "gateway.push.exception": { level: "error", message: "Push failed" },
  "gateway.call.start": { level: "debug", message: "Function called for a gateway" },
  "gateway.call.stop": { level: "debug", message: "Function ended for a gateway" },
  "gateway.call.exception": { level: "error", message: "Function failed for a gateway" },
  "inspection.observer.exception": { level: "error", message: "Inspection observer failed and was detached" },
  "log.lost": { level: "warn", message: "Lines of the log were lost" },
  "loop.held": { level: "warn", message: "Event loop was held" },
  "telemetry.handler.exception": { level: "error", message: "Telemetry handler failed and was detached" },
  "span.start": { level: "debug", message: "Span started" },
  "span.stop": { level: "debug", message: "Span ended" },
  "span.exception": { level: "error", message: "Span failed" },
  "supervisor.child.start": { level: "debug", message: "Actor started" },
  "supervisor.child.exit": {
    level: "debug",
    message: "Actor ended",
    or: { level: "error", when: ({ metadata }) => metadata.reason === "error" },
  },
  "supervisor.child.restart": { level: "warn", message: "Actor is restarted" },
  "connection.open": { level: "info", message: "Client connected" },
  "connection.refuse": {
    level: "info",
    message: "Client was refused",
    or: { level: "error", when: ({ metadata }) => metadata.status === 500 },
  },
  "connection.close": { level: "info", message: "Client disconnected" },
  "channel.join": { level: "info", message: "Join answered" },
  "channel.leave": { level: "debug", message: "Channel left" },
  "channel.crash": { level: "warn", message: "Channel crashed" },
  "node.up": { level: "info", message: "Node connected" },
  "node.down": { level: "warn", message: "Session with a node ended" },
  "node.refuse": { level: "warn", message: "Node was not let in" },
  "node.transport.error": { level: "warn", message: "Transport between gateways and nodes does not work" },
  "admin.refuse": { level: "warn", message: "Admin request was refused" },
  "admin.exception": { level: "error", message: "Admin request failed" },
  "stream.start": { level: "debug", message: "Stream started" },
  "stream.stop": { level: "debug", message: "Stream ended" },
};

/** The levels that an event's line can have. */
export function levelsOf(name: EventName): LogLevel[] {
  const { level, or } = logLines[name];
  return or === undefined ? [level] : [level, or.level];
}

/** The level of the line of this occurrence. */
export function levelOf(message: TelemetryMessage): LogLevel {
  const { level, or } = logLines[message.event] as LogLine<EventName>;
  return or?.when(message) ? or.level : level;
}
