import type { Clock } from "../core/clock.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { ExpectedServices } from "./expected-services.ts";
import { differ, type FunctionSet, isComplete, pulledSet } from "./function-sets.ts";
import { Reconciler, type ReconcilerSources } from "./reconciler.ts";
import type { SharedPushes } from "./shared-pushes.ts";
import type { Turns } from "./turns.ts";

const conflict = telemetryEvent("config.push.conflict");

/** What {@link SetRegistrar} needs of the gateway. */
export interface SetRegistrarSources extends ReconcilerSources {
  readonly gateway: string;
  readonly clock: Clock;
  readonly expected: ExpectedServices;
  /** Whether the node has a session with this gateway now, and serves the service. */
  isLive(node: string, service: string): boolean;
  /** Where gateways share pushes, where there is such a place. */
  shared(): SharedPushes | undefined;
  /** A set asks to be pulled again and again. */
  pullRequested(service: string, node: string): void;
}

/** Puts and takes away the nodes' sets of functions, with all that follows from it. */
export class SetRegistrar {
  readonly #sources: SetRegistrarSources;
  readonly #reconciler: Reconciler;

  constructor(sources: SetRegistrarSources, turns: Turns) {
    this.#sources = sources;
    this.#reconciler = new Reconciler(sources, turns);
  }

  /** Repairs what a crash may have left half done. */
  async recover(): Promise<void> {
    for (const [service, node] of this.#sources.sets.entries()) this.requestPull(service, node);
    await this.#reconciler.all();
  }

  /** Makes the set the node's latest. Resolves when its functions are registered. */
  async put(service: string, node: string, set: FunctionSet): Promise<void> {
    const { sets } = this.#sources;
    const before = sets.get(service, node);
    this.#tellConflict(service, node, set);
    sets.put(service, node, set);
    await this.#reconciler.replaced(service, before, set);
    this.requestPull(service, node);
    this.share(service, node);
  }

  /** The service is expected no more, unless of all that came for it nothing was taken. */
  arrived(service: string, taken: number, refused: number): void {
    if (taken > 0 || refused === 0) this.#sources.expected.arrived(service);
  }

  /** Takes the node's set away. */
  async remove(service: string, node: string): Promise<void> {
    const before = this.#sources.sets.delete(service, node);
    if (before !== undefined) await this.#reconciler.replaced(service, before, undefined);
  }

  /** Has the set pulled from now on, if it asks for that. */
  requestPull(service: string, node: string): void {
    const { sets, pullRequested } = this.#sources;
    if ((sets.get(service, node)?.pull ?? null) !== null) pullRequested(service, node);
  }

  /** Tells other gateways of the set: only of what the node itself has told this one, and only while it is there. */
  share(service: string, node: string): void {
    const { sets, shared, isLive } = this.#sources;
    const place = shared();
    const set = sets.get(service, node);
    if (place === undefined || set?.isOwn !== true || node === pulledSet || !isLive(node, service)) return;
    const functions = Array.from(set.functions.values(), ({ sent }) => sent);
    const { functionsHash, count, pull } = set;
    place.put({
      service,
      node,
      configVersion: set.configVersion ?? "",
      ...(functionsHash === null ? {} : { functionsHash }),
      functions,
      ...(isComplete(set) ? {} : { count }),
      pull,
    });
  }

  /** Whether nobody has taken one of its functions out of the table. */
  isRegistered(service: string, { functions }: FunctionSet): boolean {
    const { store } = this.#sources;
    for (const { requestType, version } of functions.values()) {
      if (store.find(service, requestType, version) === undefined) return false;
    }
    return true;
  }

  #tellConflict(service: string, node: string, set: FunctionSet): void {
    const { sets, gateway, clock } = this.#sources;
    const { configVersion } = set;
    const other = configVersion === null ? undefined : sets.newestWithVersion(service, configVersion);
    if (configVersion === null || other === undefined || !differ(other[1], set)) return;
    const nodes = { node, other_node: other[0] };
    conflict.emit({ system_time: clock.systemTime() }, { gateway, service, ...nodes, config_version: configVersion });
  }
}
