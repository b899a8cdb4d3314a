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

  "connection.open": Event<
    { system_time: number },
    { gateway: string; connection: string; ip_address: string; vsn: string }
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
}
