import type { InspectionObserver } from "../actor/inspect.ts";
import { type SupervisorRef, startChild, terminateChild } from "../actor/supervisor-requests.ts";
import { type Closed, type System, startSystem } from "../actor/system.ts";
import type { TreeNode } from "../actor/tree.ts";
import { type CompiledFunction, compileFunction } from "../call/compile-function.ts";
import { unavailable } from "../call/failure.ts";
import { type HostCallOptions, HostCalls, type HostRequest } from "../call/host-calls.ts";
import { Pipeline } from "../call/pipeline.ts";
import type { Response } from "../call/response.ts";
import { mainThread } from "../call/run-on-main.ts";
import { RunningCalls } from "../call/running-calls.ts";
import { streamCallActor } from "../call/stream-call.actor.ts";
import type { StreamCall } from "../call/stream-call.ts";
import { mainThreadStreams } from "../call/stream-on-main.ts";
import { ConfigStore } from "../config/config-store.ts";
import { holdsService } from "../config/define-service.ts";
import { Deadlines } from "../core/deadlines.ts";
import { isGenApiError, libraryError } from "../core/errors.ts";
import type { RateLimit } from "../policy/rate-limit.ts";
import { RateLimiter, type RateLimitStatus } from "../policy/rate-limiter.ts";
import { RateLimiterApi } from "../policy/rate-limiter-api.ts";
import type { RateLimiterConfig, RateLimiterOptions } from "../policy/rate-limiter-options.ts";
import { resolveChannel } from "../socket/channel.ts";
import { ConnectionTable } from "../socket/connection-table.ts";
import type { ListenAddress } from "../socket/http-server.ts";
import { createListener, type Listener } from "../socket/listener.actor.ts";
import { createPool, type Pool } from "../worker/worker-pool.actor.ts";
import { ConfigCache } from "./config-cache.ts";
import { gatewayTree, listenerSpec, names } from "./gateway-tree.ts";
import { type GenApiOptions, type ResolvedOptions, resolveOptions } from "./options.ts";
import type { Runtime } from "./runtime.ts";

/**
 * Starts a gateway. It is ready when the promise resolves: its functions were found and it listens.
 *
 * @throws GenApiError `invalid_option` listing every fault by its path, `invalid_config`, `module_unreadable` or
 * `function_missing` for a function that cannot run, `listen_failed`; nothing is left running then
 */
export async function startGenApi(options: GenApiOptions = {}): Promise<Runtime> {
  const gateway = new Gateway(resolveOptions(options));
  try {
    await gateway.start();
  } catch (error) {
    await gateway.stop();
    throw error;
  }
  return gateway;
}

// How long a module has to be imported when its functions are registered.
const importMs = 10_000;

class Gateway implements Runtime {
  readonly name: string;
  readonly configCache: ConfigCache;
  readonly rateLimiter: RateLimiterApi;
  readonly closed: Promise<Closed>;
  readonly #options: ResolvedOptions;
  readonly #system: System;
  readonly #functions = new ConfigStore<CompiledFunction>();
  readonly #running = new RunningCalls();
  readonly #asyncPool: Pool;
  readonly #streamPool: Pool;
  readonly #pipeline: Pipeline;
  readonly #hostCalls: HostCalls;
  readonly #connections: ConnectionTable;
  readonly #listener: Listener | undefined;
  #stopping: Promise<Closed> | undefined;
  #streamCount = 0;
  #detailError: boolean;

  constructor(options: ResolvedOptions) {
    const { name, clock, maxResultBytes, socket, listen, server } = options;
    this.#options = options;
    this.name = name;
    const deadlines = new Deadlines(clock);
    const { asyncPoolSize, streamPoolSize } = options.workerPool;
    this.#asyncPool = createPool({ ...poolOptions(options), name: names.asyncPool, maxInFlight: asyncPoolSize });
    this.#streamPool = createPool({ ...poolOptions(options), name: names.streamPool, maxInFlight: streamPoolSize });
    const functionSources = {
      modules: modulesOf(options),
      mfaAllowlist: options.mfaAllowlist,
      verifyOnWorker: (url: string, fun: string) => this.#verify(url, fun),
    };
    const compile = (config: unknown) => compileFunction(config, functionSources);
    const limiterOptions = options.rateLimiter as RateLimiterOptions;
    const limiter = new RateLimiter(name, clock, limiterOptions);
    const mayLimit = options.adminActions.has("update_rate_limit_config");
    this.rateLimiter = new RateLimiterApi(limiter, () => this.#system.whereis(names.rateLimiter), mayLimit);
    this.#detailError = options.detailError;
    this.#pipeline = new Pipeline({
      gateway: name,
      rateLimiter: limiter,
      clock,
      deadlines,
      running: this.#running,
      random: Math.random,
      functions: this.#functions,
      compile,
      executors: {
        main: mainThread,
        worker: this.#asyncPool,
        mainStreams: mainThreadStreams,
        workerStreams: this.#streamPool,
      },
      startStream: (stream) => this.#startStream(stream),
      streamStallTimeoutMs: options.workerPool.streamStallTimeoutMs,
      maxPayloadBytes: socket.maxPayloadBytes,
      maxResultBytes,
      detailError: () => this.#detailError,
    });
    this.#hostCalls = new HostCalls(this.#pipeline, clock);
    this.configCache = new ConfigCache({
      store: this.#functions,
      owner: () => this.#system.whereis(names.configCache),
      compile,
    });
    const channels = options.channels.map(resolveChannel);
    const context = { gateway: name, clock, channels, requests: this.#pipeline, options: socket };
    this.#connections = new ConnectionTable(clock, socket);
    const on = server ?? (listen === undefined || listen === false ? undefined : listen);
    if (on !== undefined) {
      this.#listener = createListener({ context, table: this.#connections, on, connections: names.connections });
    }
    this.#system = startSystem({
      name: "gen_api",
      clock,
      intensity: options.intensity,
      children: gatewayTree({
        gateway: name,
        limiter,
        limiterOptions,
        functions: this.#functions,
        asyncPool: this.#asyncPool.logic,
        streamPool: this.#streamPool.logic,
      }),
      ...(options.inspect === undefined ? {} : { inspect: options.inspect }),
    });
    this.closed = this.#system.closed.then(async (closed) => {
      this.#pipeline.drain();
      this.#running.abortAll("stopped");
      deadlines.close();
      await Promise.all([this.#asyncPool.closed(), this.#streamPool.closed()]);
      return closed;
    });
  }

  async start(): Promise<void> {
    const configs = this.#options.functions.flatMap((given) => (holdsService(given) ? given.functions : [given]));
    await this.configCache.batchAdd(configs);
    if (this.#listener === undefined) return;
    await startChild(this.#system.root, listenerSpec(this.#listener.logic));
    await this.#listener.ready;
  }

  get address(): ListenAddress | undefined {
    return this.#listener?.address;
  }

  call<Result>(request: HostRequest, options?: HostCallOptions): Promise<Result> {
    return this.#hostCalls.call(request, options);
  }

  request<Result>(request: HostRequest, options?: HostCallOptions): Promise<Response<Result>> {
    return this.#hostCalls.request(request, options);
  }

  stream<Chunk>(request: HostRequest, options?: Pick<HostCallOptions, "signal">): AsyncGenerator<Chunk, void, void> {
    return this.#hostCalls.stream(request, options);
  }

  disconnect(id: string): number {
    return this.#connections.disconnect(id);
  }

  setDetailError(detailError: boolean): void {
    if (!this.#options.adminActions.has("change_detail_error")) {
      const allowed = 'only where the option adminActions lists "change_detail_error"';
      throw libraryError("permission_denied", `setDetailError may be called ${allowed}`);
    }
    this.#detailError = detailError;
  }

  rlStatus(userId: string): RateLimitStatus[] {
    return this.rateLimiter.status(userId, undefined, "userId");
  }

  async rlGlobal(limits?: readonly RateLimit[]): Promise<readonly RateLimit[]> {
    if (limits !== undefined) await this.rateLimiter.setGlobalLimits(limits);
    return this.rateLimiter.getGlobalLimits();
  }

  rlConfig(): RateLimiterConfig {
    return this.rateLimiter.getConfig();
  }

  tree(): TreeNode {
    return this.#system.tree();
  }

  inspect(observer: InspectionObserver): () => void {
    return this.#system.inspect(observer);
  }

  stop({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<Closed> {
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  #startStream(stream: StreamCall): void {
    const streams = this.#system.whereis<SupervisorRef>(names.streams);
    this.#streamCount++;
    const spec = {
      id: `stream_${this.#streamCount}`,
      logic: streamCallActor,
      input: stream,
      restart: "temporary",
    } as const;
    startChild(streams, spec).catch(() => stream.failed(unavailable, false));
  }

  /** A module's import may hang, or end its thread: whoever waits is told which module it was. */
  async #verify(url: string, fun: string): Promise<void> {
    const { clock } = this.#options;
    let timer: unknown;
    const late = new Promise<never>((_resolve, reject) => {
      const message = `The module ${url} was not imported within ${importMs} ms`;
      timer = clock.setTimeout(() => reject(libraryError("module_unreadable", message)), importMs);
    });
    try {
      await Promise.race([this.#asyncPool.verify(url, fun), late]);
    } catch (cause) {
      if (!isGenApiError(cause) || cause.code !== "unavailable") throw cause;
      throw libraryError("module_unreadable", `The module ${url} cannot be imported: its thread ended`, { cause });
    } finally {
      clock.clearTimeout(timer);
    }
  }

  async #stop(drainMs: number): Promise<Closed> {
    const { clock } = this.#options;
    this.#pipeline.drain();
    if (this.#system.whereis(names.listener) !== undefined) await terminateChild(this.#system.root, names.listener);
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimeout(resolve, drainMs);
    });
    await Promise.race([this.#running.finished(), late]);
    clock.clearTimeout(timer);
    this.#running.abortAll("stopped");
    await this.#system.shutdown();
    return this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The host's modules, and those that services of `defineService` name themselves. */
function modulesOf({ modules, functions }: ResolvedOptions): Map<string, string> {
  const named = new Map(Object.entries(modules));
  for (const given of functions) {
    if (holdsService(given) && given.url !== null && !named.has(given.service)) named.set(given.service, given.url);
  }
  return named;
}

function poolOptions({ workerPool, clock }: ResolvedOptions) {
  const { threads, maxQueueSize, circuitBreakerThreshold, circuitBreakerCooldown, wedgeGraceMs, resourceLimits } =
    workerPool;
  const circuitBreakerCooldownMs = circuitBreakerCooldown;
  return {
    threads,
    clock,
    maxQueueSize,
    circuitBreakerThreshold,
    circuitBreakerCooldownMs,
    wedgeGraceMs,
    resourceLimits,
  };
}
