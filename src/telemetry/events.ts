import type { RequestTrace } from "./request-trace.ts";

/** The two halves of an event: numbers that can be added up, and the identity to group them by. */
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
  /** The connection's user, for audits of who was denied what. */
  user_id: string | null;
  trace: RequestTrace;
}

interface AttemptIdentity extends RequestIdentity {
  /** Which function is called: the requested one, or first its `permissionCallback` or the schema of its arguments. */
  called: "function" | "permission_callback" | "arguments_check";
  where: "main" | "worker" | "node";
  /** The service node; null if the gateway itself runs it. */
  node: string | null;
  /** The number of retries before. */
  retries: number;
}

interface ServedIdentity {
  node: string;
  gateway: string;
  /** Null if the function did not ask for its RequestInfo. */
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

interface PushNames {
  gateway: string;
  kind: "broadcast" | "push";
  /** Null: the topic that each socket joined first. */
  topic: string | null;
  /** The event that clients get. */
  push_event: string;
}

interface ResumableIdentity {
  gateway: string;
  request_id: string;
  service: string;
  request_type: string;
  user_id: string | null;
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

/** The bound on a connection's running requests that was reached. */
type InFlightBound = "too_many_requests" | "too_many_streams" | "too_many_bytes";

interface NodeOfGateway {
  gateway: string;
  node: string;
}

/** The API is null if a value was checked by global limits. */
interface LimitedIdentity {
  gateway: string;
  service: string | null;
  request_type: string | null;
}

interface SpanIdentity {
  /** The host's name for it: "billing.charge". */
  span: string;
  /** Given by the host. */
  attributes: Readonly<Record<string, unknown>>;
}

/**
 * Every telemetry event, by name without the prefix `gen_api.`. `duration_us` is in microseconds, `system_time` in
 * milliseconds since 1970. `gateway` and `node` are names of gateways and service nodes; `program` is the name of the
 * emitter, where both kinds emit the event.
 */
export interface TelemetryEvents {
  "executor.request.start": Event<{ system_time: number }, RequestIdentity>;
  /** `node` is the service node that got the call last; null if the gateway itself ran it or it never ran. */
  "executor.request.stop": Event<
    { duration_us: number },
    RequestIdentity & { node: string | null; success: boolean; error_code: string | null }
  >;
  /**
   * The function threw an error other than a GenApiError, its `permissionCallback` threw one or gave no answer, or the
   * gateway itself failed; regardless of whether the request was then answered `internal`, retried, denied or repaired
   * by a hook. `error` is for logs, not for clients.
   */
  "executor.request.exception": Event<{ duration_us: number }, RequestIdentity & { node: string | null; error: Error }>;

  /**
   * A request was refused as `unavailable` because its connection has too much running: "too_many_requests",
   * "too_many_streams", or requests whose arguments take "too_many_bytes", on this connection or on all together.
   */
  "executor.request.rejected": Event<
    { in_flight: number; held_bytes: number },
    { gateway: string; user_id: string | null; ip_address: string | null; reason: InFlightBound }
  >;

  /**
   * `count` Responses that were kept for repeated requests were dropped before their time: there were more than
   * `idempotency.maxEntries` of them, or they took more than `idempotency.maxBytes`.
   */
  "idempotency.evict": Event<{ count: number; held_bytes: number }, { gateway: string }>;

  /** A function or its permission callback was passed to a thread or a service node, or called on the main thread. */
  "executor.attempt.start": Event<{ system_time: number }, AttemptIdentity>;
  /** It answered, failed or was given up; a stream ended. Left out if the request was answered meanwhile. */
  "executor.attempt.stop": Event<{ duration_us: number }, AttemptIdentity & { error_code: string | null }>;

  "hook.before.start": Event<{ system_time: number }, HookIdentity>;
  "hook.before.stop": Event<{ duration_us: number }, HookIdentity>;
  /** The hook threw or exceeded its timeout: the request was refused. */
  "hook.before.exception": Event<{ duration_us: number }, HookIdentity & { error: Error }>;
  "hook.after.start": Event<{ system_time: number }, HookIdentity>;
  "hook.after.stop": Event<{ duration_us: number }, HookIdentity>;
  /** The hook threw or exceeded its timeout: the response stayed unchanged. */
  "hook.after.exception": Event<{ duration_us: number }, HookIdentity & { error: Error }>;

  /** Another attempt follows; `attempt` counts retries from 1. */
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
  /** A thread ended unexpectedly; `calls_lost` had begun and were answered `unavailable`. */
  "worker_pool.thread.exit": Event<{ calls_lost: number }, { program: string; pool: string; error: Error }>;
  /** User code threw outside of any call: in a timer, or in a promise that is not handled. */
  "worker_pool.thread.stray_error": Event<{ system_time: number }, { program: string; pool: string; error: Error }>;
  /**
   * Functions on a thread wrote more than `maxOutputBytesPerSecond`; reported at most once a second for each of its
   * streams.
   */
  "worker_pool.thread.output_dropped": Event<
    { bytes: number },
    { program: string; pool: string; stream: "stdout" | "stderr" }
  >;

  /** The modules of a service are to be imported anew. */
  "reload.start": Event<{ system_time: number }, { program: string; service: string }>;
  /** New calls get the new code, of `count` functions. `old_threads` still run calls of code that was replaced, now or before. */
  "reload.stop": Event<
    { duration_us: number; count: number; old_threads: number },
    { program: string; service: string }
  >;
  /** Nothing was changed. */
  "reload.exception": Event<{ duration_us: number }, { program: string; service: string; error: Error }>;

  /** A request, or a value, was let in or refused. `error` is set where the limiter itself failed. */
  "rate_limiter.check": Event<{ duration_us: number }, LimitedIdentity & { allowed: boolean; error: Error | null }>;
  /**
   * A limit refused a request; if several did, the one with the longest wait. `scope` is "global" or "service/type".
   */
  "rate_limiter.exceeded": Event<
    { retry_after_ms: number },
    LimitedIdentity & { scope: string; key: string; max_requests: number; window_ms: number }
  >;
  /** Counts were reset: of one value or of all, for one scope and key or for any (null). */
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

  /** A node's push was accepted, now or earlier (`outcome`); it may contain refused functions. */
  "config.push": Event<
    { duration_us: number; accepted: number; refused: number },
    { gateway: string; service: string; node: string; config_version: string; outcome: "accepted" | "skipped" }
  >;
  /**
   * Different functions were pushed under one version, by two nodes or by one (`other_node` is then `node`): the newer
   * ones, of `node`, are in effect.
   */
  "config.push.conflict": Event<
    { system_time: number },
    { gateway: string; service: string; node: string; other_node: string; config_version: string }
  >;
  /**
   * A node pushed `count` functions that other nodes declare differently under the same version: from now on the
   * declaration of `node` is in effect for calls to all of them. `functions` are the first 20, as `type` or `type
   * version`; `other_node` is one of the nodes that also have them.
   */
  "config.push.replaced": Event<
    { system_time: number; count: number },
    { gateway: string; service: string; node: string; other_node: string; functions: readonly string[] }
  >;
  /**
   * A shared entry of gateways cannot be trusted or read, and was ignored. Reported at most once a minute for each key
   * and a hundred times in all.
   */
  "config.shared.refused": Event<{ system_time: number }, { gateway: string; key: string; problem: string }>;
  "config.pull.start": Event<{ system_time: number }, { gateway: string; service: string }>;
  /** `node` is the one that answered; null if none did, and `error` then names the reason of each. */
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
   * A connection to a gateway's link was refused before it could identify itself; `status` is that of HTTP, null if
   * none could be sent. Connections that do not speak HTTP, or fail at TLS, are reported at most a hundred times a
   * minute.
   */
  "node.link.refuse": Event<
    { system_time: number },
    { gateway: string; address: string; status: number | null; reason: string }
  >;
  /**
   * A service node lost a gateway, or could not reach it, and dials again; `attempt` counts since it was last let in.
   */
  "node.link.retry": Event<
    { attempt: number; delay_ms: number },
    { node: string; gateway_url: string; reason: string }
  >;

  /** On a service node: a gateway let it in. */
  "gateway.up": Event<{ system_time: number }, { node: string; gateway: string; peer: string }>;
  /** On a service node: the session with a gateway ended, and the gateway's calls were cancelled. */
  "gateway.down": Event<
    { system_time: number },
    { node: string; gateway: string; peer: string; reason: string; orderly: boolean }
  >;
  /** On a service node: a gateway refused it, or did not prove its own identity; the node will try again. */
  "gateway.refuse": Event<{ system_time: number }, { node: string; peer: string; error: Error }>;
  /** On a service node: it runs a function for a gateway. */
  "gateway.call.start": Event<{ system_time: number }, ServedIdentity>;
  /** On a service node: that function answered, failed or was cancelled; a stream ended. */
  "gateway.call.stop": Event<
    { duration_us: number },
    ServedIdentity & { error_code: string | null; error: Error | null }
  >;
  /**
   * On a service node, before the `stop` of a call that failed with `internal`: its function threw an error other than
   * a GenApiError.
   */
  "gateway.call.exception": Event<{ duration_us: number }, ServedIdentity & { error: Error }>;
  /** On a service node: a gateway accepted a push, except for the FunConfigs in `refused`. */
  "gateway.push": Event<
    { accepted: number; refused: number },
    { node: string; gateway: string; service: string; skipped: boolean; faults: readonly string[] }
  >;
  /** On a service node: a push failed. The node retries while the gateway is connected. */
  "gateway.push.exception": Event<
    { system_time: number },
    { node: string; gateway: string; service: string; error: Error }
  >;

  /** An inspection observer threw, and was detached. */
  "inspection.observer.exception": Event<{ count: number }, { error: Error }>;

  /**
   * Stdout, to which a log with a level writes, works again (a disk has room, a reader reads); meanwhile `count` lines
   * were lost because the buffer was full. `error` is the failure; null if it was only slow.
   */
  "log.lost": Event<{ count: number }, { error: Error | null }>;

  /**
   * A synchronous part of host code blocked the main thread for 50 ms or longer. `name` is the function's
   * "service.request_type", a hook's or resolver's "module.function", a topic, or the path that a client connected to.
   * Code after an `await` is not measured.
   */
  "loop.held": Event<
    { duration_us: number },
    { program: string; holder: "function" | "stream" | "hook" | "resolver" | "connect" | "join"; name: string }
  >;

  /**
   * The clock that a host gave as `clock` threw, returned no time, or went back: told at the first of `count` faults, and
   * once a minute after that. Time stands still then, or the machine's date and timers are taken.
   */
  "clock.exception": Event<
    { count: number },
    { method: "now" | "systemTime" | "setTimeout" | "clearTimeout"; problem: string }
  >;

  /** A gateway or service node did not start: whoever started it got the error, and nothing of it is left running. */
  "program.start.exception": Event<
    { system_time: number },
    { program: string; error_code: string | null; reason: string }
  >;

  /** A handler threw, or its promise rejected, and was detached; `handled_event` is the one that it was given. */
  "telemetry.handler.exception": Event<{ system_time: number }, { handled_event: string; error: Error }>;

  /** An event of the host: `telemetry.span(…)`. */
  "span.start": Event<{ system_time: number }, SpanIdentity>;
  "span.stop": Event<{ duration_us: number }, SpanIdentity>;
  "span.exception": Event<{ duration_us: number }, SpanIdentity & { error: Error }>;

  /** What `monitor` of `gen-api/otp` calls at the end of the actor `child` threw, or its promise rejected. */
  "monitor.exception": Event<{ count: number }, { program: string; child: string; error: Error }>;

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
  /** A supervisor stopped its children, and starts them again after a rest; `error` is why. */
  "supervisor.rest": Event<
    { system_time: number; rest_ms: number },
    { program: string; supervisor: string; error: Error }
  >;

  /** `params` are the URL's, secrets filtered. */
  "connection.open": Event<
    { system_time: number },
    { gateway: string; connection: string; ip_address: string; vsn: string; params: unknown }
  >;
  /** `status` is the HTTP status of the refusal; `error` is the error of `connect`, if it threw. */
  "connection.refuse": Event<
    { system_time: number },
    { gateway: string; ip_address: string; status: number; reason: string; error: Error | null }
  >;
  "connection.close": Event<
    { duration_us: number },
    { gateway: string; connection: string; code: number; reason: string }
  >;
  /** A client began to send more than `socket.frameLimit` allows. The gateway reads from it again after `pause_ms`. */
  "connection.throttle": Event<{ pause_ms: number }, { gateway: string; connection: string }>;
  /** All sockets together held more than `socket.maxHeldBytes`, and this one the most: it is closed. */
  "connection.shed": Event<{ held_bytes: number }, { gateway: string; connection: string }>;
  /**
   * `count` sockets that had sent no request yet were closed, because there were too many of them; `network` (an IPv4
   * address, or the /64 of an IPv6 address) held most of them. Reported at most a hundred times a minute, with
   * everything in between.
   */
  "connection.drop": Event<
    { count: number },
    { gateway: string; listener: "clients" | "nodes" | "admin"; network: string }
  >;
  "channel.join": Event<
    { duration_us: number },
    { gateway: string; connection: string; topic: string; accepted: boolean }
  >;
  "channel.leave": Event<{ system_time: number }, { gateway: string; connection: string; topic: string }>;
  "channel.crash": Event<{ system_time: number }, { gateway: string; connection: string; topic: string; error: Error }>;

  /**
   * A gateway can no longer reach its nodes and the other gateways, because the medium between them is out of reach.
   * From now on it forgets nothing; functions it does not know are `unavailable`.
   */
  "cluster.lost": Event<{ system_time: number }, { gateway: string; transport: string; reason: string }>;
  /** It reaches them again. `duration_us` is the time it could not. */
  "cluster.back": Event<{ duration_us: number }, { gateway: string; transport: string }>;

  /** A service node connected and can be called. */
  "node.up": Event<{ system_time: number }, NodeOfGateway & { services: readonly string[]; peer: string }>;
  /** A node's session ended: it left, was lost, or connected again. `calls_lost` were answered `unavailable`. */
  "node.down": Event<{ duration_us: number; calls_lost: number }, NodeOfGateway & { reason: string; orderly: boolean }>;
  /** A node was refused; `node` is the name it claimed, null if it gave none. */
  "node.refuse": Event<{ system_time: number }, { gateway: string; node: string | null; peer: string; reason: string }>;

  /** The gateway itself threw when it received a call's result from a node: only that call is affected. */
  "node.call.exception": Event<
    { system_time: number },
    NodeOfGateway & { service: string; request_type: string; error: Error }
  >;

  /**
   * The transport between gateways and nodes does not work now and is retried: the broker is out of reach, or refuses
   * something. `servers` are those of the options.
   */
  "node.transport.error": Event<
    { system_time: number },
    { program: string; transport: string; servers: readonly string[]; error: Error }
  >;

  /** The admin listener refused a client; `address` is "unix" for its socket in the file system. */
  "admin.refuse": Event<{ system_time: number }, { gateway: string; address: string; status: number; reason: string }>;
  /** An admin endpoint failed; its client learned no more than that. */
  "admin.exception": Event<{ system_time: number }, { gateway: string; path: string; error: Error }>;

  /** A push or broadcast of the host was sent to `receivers` sockets; `bytes` is the length of its JSON. */
  "push.send": Event<{ receivers: number; bytes: number }, PushNames>;
  /** A push or broadcast was refused, because too much waits to be sent. */
  "push.refuse": Event<{ bytes: number }, PushNames>;

  "stream.start": Event<{ system_time: number }, StreamIdentity>;
  /** `error_code` is null after an orderly end. */
  "stream.stop": Event<{ duration_us: number; chunks: number }, StreamIdentity & { error_code: string | null }>;
  /** The client of a stream with `resume` is gone: the stream waits for it, with `chunks` that it may ask for again. */
  "stream.detach": Event<{ chunks: number }, ResumableIdentity>;
  /**
   * A client took up its stream again, on another channel, and got `chunks` that came meanwhile, or were lost;
   * `duration_us` is how long the stream had waited, 0 if its old channel still seemed alive.
   */
  "stream.resume": Event<{ duration_us: number; chunks: number }, ResumableIdentity>;
  /**
   * A stream cannot be resumed any more: its client did not come back in time ("expired"), "too_many_streams" waited for
   * their clients, or their Responses took "too_many_bytes"; then a client that has its last ones may still resume it.
   */
  "stream.drop": Event<
    { chunks: number },
    ResumableIdentity & { reason: "expired" | "too_many_streams" | "too_many_bytes" }
  >;
}
