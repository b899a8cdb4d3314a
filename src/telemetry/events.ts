import type { RequestTrace } from "./request-trace.ts";

/** An event's two halves: numbers that can be added up, and the identity to group them by. */
interface Event<Measurements, Metadata> {
  measurements: Measurements;
  metadata: Metadata;
}

interface RequestIdentity {
  gateway: string;
  request_id: string;
  service: string;
  request_type: string;
  version: string | null;
  response_type: string | null;
  /** The connection's, for auditing: who was denied what. */
  user_id: string | null;
  trace: RequestTrace;
}

interface AttemptIdentity extends RequestIdentity {
  /** What is called: the function itself, or first its `permissionCallback`. */
  called: "function" | "permission_callback";
  where: "main" | "worker" | "node";
  /** The service node; null where the gateway itself runs it. */
  node: string | null;
  /** How many retries there were before. */
  retries: number;
}

interface ServedIdentity {
  node: string;
  gateway: string;
  /** Null where the function did not ask for its RequestInfo. */
  request_id: string | null;
  service: string;
  request_type: string;
  version: string | null;
  /** "module.function". */
  function: string;
  trace: RequestTrace;
}

interface HookIdentity extends RequestIdentity {
  /** The hook's function: "module.function". */
  hook: string;
}

interface StreamIdentity {
  gateway: string;
  request_id: string;
  service: string;
  request_type: string;
  version: string | null;
}

interface ActorIdentity {
  program: string;
  /** The supervisor's id. */
  supervisor: string;
  /** The child's id. */
  child: string;
}

interface TaskIdentity {
  program: string;
  pool: string;
  service: string;
  request_type: string;
}

interface NodeOfGateway {
  gateway: string;
  node: string;
}

/** The API is null where a value was checked by global limits. */
interface LimitedIdentity {
  gateway: string;
  service: string | null;
  request_type: string | null;
}

interface SpanIdentity {
  /** What the host calls it: "billing.charge". */
  span: string;
  /** What the host gave it. */
  attributes: Readonly<Record<string, unknown>>;
}

/**
 * Every telemetry event, by name without the prefix `gen_api.`. `duration_us` is microseconds, `system_time`
 * milliseconds since 1970. `gateway` and `node` are names of gateways and service nodes; `program` is the name of
 * whichever of the two emits, where both can.
 */
export interface TelemetryEvents {
  "executor.request.start": Event<{ system_time: number }, RequestIdentity>;
  /** `node` is the service node that the call went to last; null where the gateway itself ran it, or nobody did. */
  "executor.request.stop": Event<
    { duration_us: number },
    RequestIdentity & { node: string | null; success: boolean; error_code: string | null }
  >;
  /**
   * The function threw something that is no GenApiError, its `permissionCallback` did so or gave no answer, or the gateway
   * itself failed; whether the request was then answered `internal`, tried again, denied or mended by a hook. `error` is
   * for logs, not for clients.
   */
  "executor.request.exception": Event<{ duration_us: number }, RequestIdentity & { node: string | null; error: Error }>;

  /** A function, or its permission callback, is given to a thread or a service node, or called on the main thread. */
  "executor.attempt.start": Event<{ system_time: number }, AttemptIdentity>;
  /** It answered, failed or was given up; a stream ended. Left out where the request was answered meanwhile. */
  "executor.attempt.stop": Event<{ duration_us: number }, AttemptIdentity & { error_code: string | null }>;

  "hook.before.start": Event<{ system_time: number }, HookIdentity>;
  "hook.before.stop": Event<{ duration_us: number }, HookIdentity>;
  /** The hook threw or outlived its timeout: the request was refused. */
  "hook.before.exception": Event<{ duration_us: number }, HookIdentity & { error: Error }>;
  "hook.after.start": Event<{ system_time: number }, HookIdentity>;
  "hook.after.stop": Event<{ duration_us: number }, HookIdentity>;
  /** The hook threw or outlived its timeout: the response stood as it was. */
  "hook.after.exception": Event<{ duration_us: number }, HookIdentity & { error: Error }>;

  /** Another attempt will follow; `attempt` counts retries from 1. */
  "executor.retry": Event<{ attempt: number; delay_ms: number }, RequestIdentity & { error_code: string }>;
  "executor.retry.exhausted": Event<{ attempts: number }, RequestIdentity>;

  /** A function's resolver threw, took too long or returned no list of node names: its requests are `unavailable`. */
  "executor.resolver.exception": Event<
    { duration_us: number },
    {
      gateway: string;
      service: string;
      request_type: string;
      version: string | null;
      /** The resolver's function: "module.function". */
      resolver: string;
      error: Error;
    }
  >;

  "worker_pool.task.start": Event<{ system_time: number }, TaskIdentity>;
  "worker_pool.task.stop": Event<{ duration_us: number }, TaskIdentity>;
  "worker_pool.task.exception": Event<{ duration_us: number }, TaskIdentity & { error: Error }>;
  "worker_pool.task.rejected": Event<
    { queue_size: number },
    TaskIdentity & { reason: "queue_full" | "circuit_open" | "draining" }
  >;
  "worker_pool.circuit_breaker.open": Event<{ consecutive_failures: number }, TaskIdentity>;
  "worker_pool.circuit_breaker.close": Event<{ system_time: number }, TaskIdentity>;
  /** A thread ended that was not told to; `calls_lost` had begun and were answered `unavailable`. */
  "worker_pool.thread.exit": Event<{ calls_lost: number }, { program: string; pool: string; error: Error }>;
  /** Code of the user's threw where no call waits for it: in a timer, or in a promise that nobody handles. */
  "worker_pool.thread.stray_error": Event<{ system_time: number }, { program: string; pool: string; error: Error }>;

  /** A request, or a value, was let in or refused. `error` is set where the limiter itself failed. */
  "rate_limiter.check": Event<{ duration_us: number }, LimitedIdentity & { allowed: boolean; error: Error | null }>;
  /** A limit refused a request; where several did, the one that takes longest. `scope` is "global" or "service/type". */
  "rate_limiter.exceeded": Event<
    { retry_after_ms: number },
    LimitedIdentity & { scope: string; key: string; max_requests: number; window_ms: number }
  >;
  /** Counts were reset: of one value or of all, by one scope and key or by any (null). */
  "rate_limiter.reset": Event<
    { system_time: number },
    { gateway: string; scope: string | null; key: string | null; all_values: boolean }
  >;
  /** Keys without requests were forgotten, in one slice of a sweep. */
  "rate_limiter.cleanup": Event<{ duration_us: number; removed: number }, { gateway: string }>;

  "config.add": Event<
    { system_time: number },
    {
      gateway: string;
      service: string;
      request_type: string;
      version: string | null;
    }
  >;
  "config.batch_add": Event<{ count: number }, { gateway: string }>;
  "config.delete": Event<
    { system_time: number },
    {
      gateway: string;
      service: string;
      request_type: string;
      version: string | null;
    }
  >;
  "config.clear": Event<{ count: number }, { gateway: string }>;
  "config.enable": Event<
    { system_time: number },
    {
      gateway: string;
      service: string;
      request_type: string;
      version: string | null;
    }
  >;
  "config.disable": Event<
    { system_time: number },
    {
      gateway: string;
      service: string;
      request_type: string;
      version: string | null;
    }
  >;

  /** A node's push was taken, or had been before (`outcome`); refused are single functions. */
  "config.push": Event<
    { duration_us: number; accepted: number; refused: number },
    { gateway: string; service: string; node: string; config_version: string; outcome: "accepted" | "skipped" }
  >;
  /**
   * Different functions were pushed under one version, by two nodes or by one (`other_node` is `node` then): those of
   * `node`, the newer ones, are in effect.
   */
  "config.push.conflict": Event<
    { system_time: number },
    { gateway: string; service: string; node: string; other_node: string; config_version: string }
  >;
  /**
   * An entry that gateways share cannot be trusted or read, and was left out. Of one key one a minute is told, of all a
   * hundred.
   */
  "config.shared.refused": Event<{ system_time: number }, { gateway: string; key: string; problem: string }>;
  "config.pull.start": Event<{ system_time: number }, { gateway: string; service: string }>;
  /** `node` is the one that answered; null where none did, `error` then says why of each. */
  "config.pull.stop": Event<
    { duration_us: number; accepted: number; refused: number },
    {
      gateway: string;
      service: string;
      node: string | null;
      outcome: "changed" | "unchanged" | "failed";
      error: Error | null;
    }
  >;

  /**
   * A connection to a gateway's link was refused before it could say who it is; `status` is HTTP's, null where none
   * could be answered. Of those that speak no HTTP, or fail at TLS, a hundred a minute are told.
   */
  "node.link.refuse": Event<
    { system_time: number },
    { gateway: string; address: string; status: number | null; reason: string }
  >;
  /** A service node lost a gateway, or did not reach it, and dials again; `attempt` counts since it was last let in. */
  "node.link.retry": Event<
    { attempt: number; delay_ms: number },
    { node: string; gateway_url: string; reason: string }
  >;

  /** On a service node: a gateway has let it in. */
  "gateway.up": Event<{ system_time: number }, { node: string; gateway: string; peer: string }>;
  /** On a service node: the session with a gateway has ended; what ran for it was cancelled. */
  "gateway.down": Event<{ system_time: number }, { node: string; gateway: string; peer: string; reason: string }>;
  /** On a service node: a gateway did not let it in, or has not proven itself; it is tried again. */
  "gateway.refuse": Event<{ system_time: number }, { node: string; peer: string; error: Error }>;
  /** On a service node: it runs a function for a gateway. */
  "gateway.call.start": Event<{ system_time: number }, ServedIdentity>;
  /** On a service node: that function answered, failed or was cancelled; a stream ended. */
  "gateway.call.stop": Event<
    { duration_us: number },
    ServedIdentity & { error_code: string | null; error: Error | null }
  >;
  /** On a service node, before the `stop` of a call that failed `internal`: its function threw what is no GenApiError. */
  "gateway.call.exception": Event<{ duration_us: number }, ServedIdentity & { error: Error }>;
  /** On a service node: a gateway has taken a push; `refused` are the FunConfigs that it did not take. */
  "gateway.push": Event<
    { accepted: number; refused: number },
    { node: string; gateway: string; service: string; skipped: boolean; faults: readonly string[] }
  >;
  /** On a service node: a push came to nothing. It is tried again while the gateway is there. */
  "gateway.push.exception": Event<
    { system_time: number },
    { node: string; gateway: string; service: string; error: Error }
  >;

  /** An inspection observer threw, and was detached. */
  "inspection.observer.exception": Event<{ count: number }, { error: Error }>;

  /**
   * Stdout, as the log of a level writes to it, works again (a disk has room, somebody reads); meanwhile so many lines
   * came that `count` of them were lost. `error` is what it failed with; null where it was only slow.
   */
  "log.lost": Event<{ count: number }, { error: Error | null }>;

  /**
   * Something of the host's ran on the main thread for 50 ms or longer without a pause, and everybody else waited.
   * `name` is the function's "service.request_type", a hook's or resolver's "module.function", a topic, or the path
   * that a client connected to. What runs after an `await` is not seen.
   */
  "loop.held": Event<
    { duration_us: number },
    { program: string; holder: "function" | "stream" | "hook" | "resolver" | "connect" | "join"; name: string }
  >;

  /** A handler threw, or its promise rejected, and was detached; `handled_event` is the one that it was given. */
  "telemetry.handler.exception": Event<{ system_time: number }, { handled_event: string; error: Error }>;

  /** The host's own: `telemetry.span(…)`. */
  "span.start": Event<{ system_time: number }, SpanIdentity>;
  "span.stop": Event<{ duration_us: number }, SpanIdentity>;
  "span.exception": Event<{ duration_us: number }, SpanIdentity & { error: Error }>;

  "supervisor.child.start": Event<{ system_time: number }, ActorIdentity>;
  /** `reason` is "normal", "shutdown", "killed" or "error"; `error` only with the last. */
  "supervisor.child.exit": Event<
    { system_time: number },
    ActorIdentity & {
      reason: "normal" | "shutdown" | "killed" | "error";
      error: Error | null;
    }
  >;
  "supervisor.child.restart": Event<{ restarts_in_period: number }, ActorIdentity>;

  /** `params` are the URL's, secrets filtered. */
  "connection.open": Event<
    { system_time: number },
    { gateway: string; connection: string; ip_address: string; vsn: string; params: unknown }
  >;
  /** `status` is the HTTP status that the client was refused with; `error` what `connect` threw, if it did. */
  "connection.refuse": Event<
    { system_time: number },
    { gateway: string; ip_address: string; status: number; reason: string; error: Error | null }
  >;
  "connection.close": Event<
    { duration_us: number },
    { gateway: string; connection: string; code: number; reason: string }
  >;
  "channel.join": Event<
    { duration_us: number },
    { gateway: string; connection: string; topic: string; accepted: boolean }
  >;
  "channel.leave": Event<{ system_time: number }, { gateway: string; connection: string; topic: string }>;
  "channel.crash": Event<{ system_time: number }, { gateway: string; connection: string; topic: string; error: Error }>;

  /** A service node connected and can be called. */
  "node.up": Event<{ system_time: number }, NodeOfGateway & { services: readonly string[]; peer: string }>;
  /** Its session ended: it left, was lost, or connected again. `calls_lost` were answered `unavailable`. */
  "node.down": Event<{ duration_us: number; calls_lost: number }, NodeOfGateway & { reason: string }>;
  /** A node was not let in; `node` is who it said it is, null where it did not. */
  "node.refuse": Event<{ system_time: number }, { gateway: string; node: string | null; peer: string; reason: string }>;

  /**
   * What gateways and nodes reach each other over does not work now, and is tried again: the broker is out of reach, or
   * refuses something. `servers` are those of the options.
   */
  "node.transport.error": Event<
    { system_time: number },
    { program: string; transport: string; servers: readonly string[]; error: Error }
  >;

  /** Somebody was not let in at the admin listener; `address` is "unix" for its socket in the file system. */
  "admin.refuse": Event<{ system_time: number }, { gateway: string; address: string; status: number; reason: string }>;
  /** An admin endpoint failed; whoever asked was told no more than that. */
  "admin.exception": Event<{ system_time: number }, { gateway: string; path: string; error: Error }>;

  "stream.start": Event<{ system_time: number }, StreamIdentity>;
  /** `error_code` is null after an orderly end. */
  "stream.stop": Event<{ duration_us: number; chunks: number }, StreamIdentity & { error_code: string | null }>;
}
