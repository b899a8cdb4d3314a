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
  /** The supervisor's id. */
  supervisor: string;
  /** The child's id. */
  child: string;
}

interface TaskIdentity {
  pool: string;
  service: string;
  request_type: string;
}

/** The API is null where a value was checked by global limits. */
interface LimitedIdentity {
  gateway: string;
  service: string | null;
  request_type: string | null;
}

/**
 * Every telemetry event, by name without the prefix `gen_api.`. `duration_us` is microseconds, `system_time`
 * milliseconds since 1970.
 */
export interface TelemetryEvents {
  "executor.request.start": Event<{ system_time: number }, RequestIdentity>;
  "executor.request.stop": Event<
    { duration_us: number },
    RequestIdentity & { success: boolean; error_code: string | null }
  >;
  /** The function threw something that is no GenApiError, or the gateway itself failed; `error` is for logs, not for clients. */
  "executor.request.exception": Event<{ duration_us: number }, RequestIdentity & { error: Error }>;

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
  "worker_pool.thread.exit": Event<{ calls_lost: number }, { pool: string; error: Error }>;
  /** Code of the user's threw where no call waits for it: in a timer, or in a promise that nobody handles. */
  "worker_pool.thread.stray_error": Event<{ system_time: number }, { pool: string; error: Error }>;

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

  /** An inspection observer threw, and was detached. */
  "inspection.observer.exception": Event<{ count: number }, { error: Error }>;

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

  "stream.start": Event<{ system_time: number }, StreamIdentity>;
  /** `error_code` is null after an orderly end. */
  "stream.stop": Event<{ duration_us: number; chunks: number }, StreamIdentity & { error_code: string | null }>;
}
