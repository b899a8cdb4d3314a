import type { Clock } from "../../core/time/clock.ts";
import type { Turns } from "../../core/time/turns.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import type { ExpectedServices } from "../presence/expected-services.ts";
import type { SharedPushes } from "../push/shared-pushes.ts";
import { differ, type FunctionSet, isComplete, pulledSet } from "./function-sets.ts";
import { Reconciler, type ReconcilerDeps } from "./reconciler.ts";

const conflict = telemetryEvent("config.push.conflict");
const replaced = telemetryEvent("config.push.replaced");

const maxToldFunctions = 20;

/** The parts of the gateway that {@link SetRegistrar} needs. */
export interface SetRegistrarDeps extends ReconcilerDeps {
  readonly gateway: string;
  readonly clock: Clock;
  readonly expected: ExpectedServices;
  /** Whether the node has a session with this gateway now, and serves the service. */
  isLive(node: string, service: string): boolean;
  /** The place where gateways share pushes, if there is one. */
  shared(): SharedPushes | undefined;
  /** A set asks to be pulled regularly. */
  pullRequested(service: string, node: string): void;
}

/** Adds and removes the nodes' sets of functions, with all consequences. */
export class SetRegistrar {
  readonly #deps: SetRegistrarDeps;
  readonly #reconciler: Reconciler;

  constructor(deps: SetRegistrarDeps, turns: Turns) {
    this.#deps = deps;
    this.#reconciler = new Reconciler(deps, turns);
  }

  /** Repairs changes that a crash may have left unfinished. */
  async recover(): Promise<void> {
    const { sets } = this.#deps;
    for (const [service, node] of sets.entries()) this.requestPull(service, node);
    await this.#reconciler.all();
    for (const service of sets.services()) this.#arrived(service);
  }

  /** Makes the set the node's latest. Resolves when its functions are registered. */
  async put(service: string, node: string, set: FunctionSet): Promise<void> {
    const { sets } = this.#deps;
    const before = sets.get(service, node);
    this.#tellConflict(service, node, set);
    this.#tellReplaced(service, node, set);
    sets.put(service, node, set);
    this.#going(service);
    await this.#reconciler.replaced(service, before, set);
    this.#arrived(service);
    this.requestPull(service, node);
    this.share(service, node);
  }

  /** Removes the node's set. */
  async remove(service: string, node: string): Promise<void> {
    const before = this.#deps.sets.delete(service, node);
    this.#going(service);
    if (before !== undefined) await this.#reconciler.replaced(service, before, undefined);
  }

  /** Starts pulling the set, if it asks for that. */
  requestPull(service: string, node: string): void {
    const { sets, pullRequested } = this.#deps;
    if ((sets.get(service, node)?.pull ?? null) !== null) pullRequested(service, node);
  }

  /** Shares the set with other gateways, provided that the node itself sent it to this one, and is up. */
  share(service: string, node: string): void {
    const { sets, shared, isLive } = this.#deps;
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

  /** Whether all of its functions are still in the table. */
  isRegistered(service: string, { functions }: FunctionSet): boolean {
    const { functionTable } = this.#deps;
    for (const { requestType, version } of functions.values()) {
      if (functionTable.find(service, requestType, version) === undefined) return false;
    }
    return true;
  }

  /** Called before functions are removed: if they are the last, requests must not find the service unknown. */
  #going(service: string): void {
    const { sets, expected } = this.#deps;
    if (!sets.has(service)) expected.gone(service);
  }

  #arrived(service: string): void {
    const { sets, expected } = this.#deps;
    if (sets.has(service)) expected.arrived(service);
  }

  /**
   * Reports replaced declarations: for each function and version only the latest declaration is in effect, for calls to
   * all nodes.
   */
  #tellReplaced(service: string, node: string, set: FunctionSet): void {
    if (!replaced.active) return;
    const { sets, gateway, clock } = this.#deps;
    const found = sets.replacedBy(service, node, set);
    if (found === null) return;
    const { length: count } = found.functions;
    const functions = found.functions.slice(0, maxToldFunctions);
    replaced.emit(
      { system_time: clock.systemTime(), count },
      { gateway, service, node, other_node: found.node, functions },
    );
  }

  #tellConflict(service: string, node: string, set: FunctionSet): void {
    const { sets, gateway, clock } = this.#deps;
    const { configVersion } = set;
    const other = configVersion === null ? undefined : sets.newestWithVersion(service, configVersion);
    if (configVersion === null || other === undefined || !differ(other[1], set)) return;
    const nodes = { node, other_node: other[0] };
    conflict.emit({ system_time: clock.systemTime() }, { gateway, service, ...nodes, config_version: configVersion });
  }
}
