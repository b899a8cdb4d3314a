import type { Socket } from "node:net";
import type { Closed } from "../../actor/closed.ts";
import type { Inspection, InspectionObserver } from "../../actor/inspection/inspection.ts";
import { startChild } from "../../actor/supervisor/supervisor-requests.ts";
import type { TreeNode } from "../../actor/supervisor/tree-node.ts";
import { type System, startSystem } from "../../actor/system.ts";
import type { AdminListen } from "../../admin/admin-server.ts";
import type { HostCallOptions, HostRequest } from "../../call/host/host-calls.ts";
import type { Response } from "../../call/request/response.ts";
import { libraryError } from "../../core/errors.ts";
import { refuseArgument, shown } from "../../core/faults.ts";
import { systemClock } from "../../core/time/clock.ts";
import { atMost } from "../../core/time/within.ts";
import type { DescribedIdentity, GatewayDescription } from "../../description/gateway-description.ts";
import type { Diagnostics } from "../../diagnostics/diagnostics.ts";
import type { Probes } from "../../diagnostics/probes.ts";
import type { ActorRef } from "../../otp/actor-ref.ts";
import { shareNames } from "../../otp/process-names.ts";
import type { RateLimiterApi } from "../../policy/rate-limiter/rate-limiter-api.ts";
import { noticeMs } from "../../socket/drainer.ts";
import type { ListenAddress } from "../../socket/http-server.ts";
import type { BroadcastOptions, PushOptions } from "../../socket/pushes/push-options.ts";
import type { PushTarget } from "../../socket/pushes/push-targets.ts";
import { ConfigPusher } from "../../sync/push/config-pusher.ts";
import type { PushOutcome } from "../../sync/push/push.ts";
import type { ConfigCache } from "../api/config-cache.ts";
import type { Gateway, HostPush } from "../api/gateway.ts";
import { Nodes } from "../api/nodes.ts";
import { functionsOf } from "../options/given-functions.ts";
import { checkUpgrade } from "../options/host-server.ts";
import { type AdminAction, type GatewayOptions, type ResolvedOptions, resolveOptions } from "../options/options.ts";
import type { Reloaded, ReloadOptions } from "../options/reload-options.ts";
import { checkStopOptions, type StopOptions } from "../options/stop-options.ts";
import { hostChildren, whereisChild } from "../program/host-children.ts";
import { takeName } from "../program/program-names.ts";
import { startProgram } from "../program/start-program.ts";
import { GatewayParts } from "./gateway-parts.ts";
import { adminSpec, listenerSpec } from "./gateway-tree.ts";

/**
 * Starts a gateway.
 * @throws as {@link startGenApi}
 */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const resolved = resolveOptions(options);
  return startProgram(resolved.logger, () => new RunningGateway(resolved));
}

class RunningGateway implements Gateway {
  readonly name: string;
  readonly configCache: ConfigCache;
  readonly rateLimiter: RateLimiterApi;
  readonly nodes: Nodes;
  readonly diagnostics: Diagnostics;
  readonly closed: Promise<Closed>;
  readonly handleProbe: Probes;
  readonly handleUpgrade: Gateway["handleUpgrade"];
  readonly #options: ResolvedOptions;
  readonly #system: System;
  readonly #parts: GatewayParts;
  /** Detaches what was attached to the gateway. */
  readonly #detach: (() => void)[] = [];
  #stopping: Promise<Closed> | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.name = options.name;
    this.#parts = new GatewayParts(options, () => this.#system);
    const { configCache, rateLimiter, cluster, handleProbe, listener, children } = this.#parts;
    this.configCache = configCache;
    this.rateLimiter = rateLimiter;
    this.nodes = new Nodes(cluster);
    this.diagnostics = this.#parts.diagnostics;
    this.handleProbe = handleProbe;
    this.handleUpgrade = (request, socket, head) => {
      checkUpgrade(request, socket, head);
      return listener.upgrade(request, socket as Socket, head);
    };
    this.#system = startSystem({
      name: "gen_api",
      program: options.name,
      clock: options.clock,
      intensity: options.intensity,
      children,
      ...(options.inspect === undefined ? {} : { inspect: options.inspect }),
    });
    this.closed = this.#system.closed.then(async (closed) => {
      await this.#parts.close();
      for (const detach of this.#detach) detach();
      return closed;
    });
  }

  async start(): Promise<void> {
    const { metrics, tracing } = this.#options;
    this.#parts.diagnostics.start();
    this.#detach.push(takeName(this.name, metrics !== undefined || tracing !== undefined));
    if (metrics !== undefined) this.#detach.push(metrics.attach(this.#parts.metricsSource));
    if (tracing !== undefined) this.#detach.push(tracing.attach(this.name));
    await this.configCache.batchAdd(functionsOf(this.#options));
    if (this.#options.cluster !== undefined) await this.#parts.cluster.started();
    const { admin, listener } = this.#parts;
    if (admin !== undefined) {
      await startChild(this.#system.root, adminSpec(admin.logic));
      await admin.ready;
    }
    if (this.#options.children.length > 0) {
      await startChild(this.#system.root, hostChildren(this.#options.children));
      this.#detach.push(shareNames((name) => this.whereis(name)));
    }
    await startChild(this.#system.root, listenerSpec(listener.logic));
    await listener.ready;
  }

  get address(): ListenAddress | undefined {
    return this.#parts.listener.address;
  }

  get adminAddress(): AdminListen | undefined {
    return this.#parts.admin?.address;
  }

  call<Result>(request: HostRequest, options?: HostCallOptions): Promise<Result> {
    return this.#parts.hostCalls.call(request, options);
  }

  request<Result>(request: HostRequest, options?: HostCallOptions): Promise<Response<Result>> {
    return this.#parts.hostCalls.request(request, options);
  }

  stream<Chunk>(request: HostRequest, options?: HostCallOptions): AsyncGenerator<Chunk, void, void> {
    return this.#parts.hostCalls.stream(request, options);
  }

  broadcast(topic: string, event: string, payload?: unknown, options?: BroadcastOptions): void {
    this.#parts.pushes.broadcast(topic, event, payload, options);
  }

  push(target: PushTarget, event: string, payload?: unknown, options?: PushOptions): void {
    this.#parts.pushes.push(target, event, payload, options);
  }

  describe(identity?: DescribedIdentity): GatewayDescription {
    return this.#parts.describe(identity);
  }

  disconnect(id: string): number {
    refuseArgument("disconnect", "id", id, typeof id === "string", "a string");
    return this.#parts.connections.disconnect(id);
  }

  async pushConfig(given: HostPush, options?: { readonly force?: boolean }): Promise<PushOutcome> {
    this.#mayDo("push_config", "pushConfig");
    if (typeof given !== "object" || given === null) {
      throw libraryError("invalid_config", `pushConfig takes {node, service, functions}, got ${shown(given)}`);
    }
    const { node, ...push } = given;
    const pusher = new ConfigPusher(push);
    return pusher.push((name, body) => this.#parts.cluster.ask(node, [push.service], name, body), options);
  }

  reload(service: string, options?: ReloadOptions): Promise<Reloaded> {
    return this.#parts.reloads.reload(service, options);
  }

  setDetailError(detailError: boolean): void {
    this.#mayDo("change_detail_error", "setDetailError");
    refuseArgument("setDetailError", "detailError", detailError, typeof detailError === "boolean", "true or false");
    this.#parts.detailError = detailError;
  }

  whereis<Ref extends ActorRef = ActorRef>(name: string): Ref | undefined {
    return whereisChild(this.#system, name) as Ref | undefined;
  }

  tree(): TreeNode {
    return this.#system.tree();
  }

  inspect(inspection: InspectionObserver | Inspection): () => void {
    return this.#system.inspect(inspection);
  }

  async stop(options: StopOptions = {}): Promise<Closed> {
    const checked = checkStopOptions(options);
    this.#stopping ??= this.#stop(checked);
    return this.#stopping;
  }

  #mayDo(action: AdminAction, method: string): void {
    if (this.#options.adminActions.has(action)) return;
    const allowed = `only where the option adminActions lists "${action}"`;
    throw libraryError("permission_denied", `${method} may be called ${allowed}`);
  }

  async #stop({ drainMs, notReadyMs }: Required<StopOptions>): Promise<Closed> {
    const { clock } = this.#options;
    const { running } = this.#parts;
    this.#parts.isStopping = true;
    this.#parts.closeReloads();
    if (notReadyMs > 0) await atMost(notReadyMs, this.closed, clock);
    // Messages in transit take real time, even if the host's clock stands still, as in tests.
    const noticeClock = drainMs === 0 ? systemClock : clock;
    const drained = Promise.race([this.#parts.drain(drainMs, noticeClock), this.closed]);
    await atMost(drainMs, drained, noticeClock);
    running.abortAll("stopped");
    // The rest: after hooks of aborted calls, and sockets whose clients were notified a moment ago.
    await atMost(noticeMs * 2, drained, noticeClock);
    this.#parts.leaveOthers();
    await this.#system.shutdown();
    return this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
