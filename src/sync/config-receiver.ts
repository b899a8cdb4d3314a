import type { Mfa } from "../config/fun-config.ts";
import { describe, libraryError } from "../core/errors.ts";
import type { Clock } from "../core/time/clock.ts";
import type { Turns } from "../core/time/turns.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { FunctionDraft, FunctionIntake, type IntakeDeps, type Sender } from "./intake/function-intake.ts";
import { type OpenPush, OpenPushes } from "./intake/open-pushes.ts";
import type { Absence } from "./presence/absences.ts";
import {
  type AcceptedPush,
  type PushBegin,
  type PushBegun,
  type PushOutcome,
  parseAsk,
  type SliceOutcome,
  type Verify,
  type VerifyOutcome,
} from "./push/push.ts";
import {
  type FunctionSet,
  type HeldFunction,
  isComplete,
  pulledSet,
  sameFunctions,
  sameSet,
} from "./sets/function-sets.ts";
import { SetRegistrar, type SetRegistrarDeps } from "./sets/set-registrar.ts";

const pushed = telemetryEvent("config.push");

/** A node as its session knows it. */
export interface PushingNode {
  readonly node: string;
  /** The services that it may push. */
  readonly services: readonly string[];
}

/** The functions pulled for a service. */
export interface PulledFunctions {
  readonly service: string;
  /** The set they become: that of a node whose push asked for it, or `pulledSet`. */
  readonly set: string;
  /** The node that answered. */
  readonly node: string;
  readonly nodes: readonly string[] | Mfa;
  readonly allowedNodes: readonly string[];
  readonly configVersion: string | null;
  /** The return value of the node's function. */
  readonly functions: unknown;
}

/** The result of a pull. */
export interface PulledOutcome {
  readonly isChanged: boolean;
  readonly accepted: number;
  readonly refused: number;
}

/** The parts of the gateway that {@link ConfigReceiver} needs. */
export interface ConfigReceiverDeps extends IntakeDeps, SetRegistrarDeps {
  readonly clock: Clock;
  /** A node has sent its functions of the service, or confirmed that they are unchanged. */
  served(service: string): void;
}

/** What happens to the functions of a node that no longer serves them, when its time is over. */
export type Forgetting =
  /** They were removed, or had been before. */
  | "gone"
  /** They stay: no one who could know has said that they are gone for good. */
  | "kept"
  /** This cannot be decided now. */
  | "undecided";

/** Receives the functions of nodes, pushed, pulled or shared by other gateways, and decides what happens to them. */
export class ConfigReceiver {
  readonly #deps: ConfigReceiverDeps;
  readonly #intake: FunctionIntake;
  readonly #registrar: SetRegistrar;
  readonly #open: OpenPushes;

  constructor(deps: ConfigReceiverDeps, turns: Turns) {
    this.#deps = deps;
    this.#intake = new FunctionIntake(deps, turns);
    this.#registrar = new SetRegistrar(deps, turns);
    this.#open = new OpenPushes(deps.clock, deps.limits);
  }

  /** Repairs changes that a crash may have left unfinished. */
  recover(): Promise<void> {
    return this.#registrar.recover();
  }

  /** @throws GenApiError `invalid_request`, `permission_denied`, `unavailable` */
  begin(from: PushingNode, body: unknown): PushBegun {
    const { sets, limits } = this.#deps;
    const begin = parseAsk("push_begin", body) as PushBegin;
    const { service, count, force, pull } = begin;
    mayPush(from, service);
    if (count > limits.maxFunctions) {
      throw libraryError("invalid_request", `A push may have ${limits.maxFunctions} functions at most, got ${count}`);
    }
    const before = sets.get(service, from.node);
    if (before !== undefined && !force && this.#verify(before, begin) === "matched") {
      sets.confirm(service, from.node, pull);
      this.#registrar.share(service, from.node);
      this.#registrar.requestPull(service, from.node);
      this.#deps.served(service);
      this.#report(begin, from.node, "skipped", 0, before.functions.size, 0);
      return { outcome: "skipped", reason: "version_matches" };
    }
    const { id } = this.#open.open(sets.nextPush(), from.node, begin);
    return { outcome: "continue", push: id, sliceSize: limits.sliceSize };
  }

  /** @throws GenApiError `invalid_request`, which drops the push, `not_found` */
  async slice({ node }: PushingNode, body: unknown): Promise<SliceOutcome> {
    const { push: id, functions } = parseAsk("push_slice", body);
    const push = this.#open.get(id, node);
    const { sliceSize } = this.#deps.limits;
    const { begin } = push;
    if (functions.length > sliceSize || push.received + functions.length > begin.count) {
      this.#open.close(push);
      const allowed = `at most ${sliceSize} functions, ${begin.count} in all`;
      throw libraryError("invalid_request", `A slice may have ${allowed}, got ${functions.length}`);
    }
    push.received += functions.length;
    push.isBusy = true;
    this.#open.proceed(push);
    const refused = await this.#intake.take(functions, senderOf(begin.service, node, "push"), push.draft);
    this.#stillOpen(push);
    push.isBusy = false;
    push.refused += refused.length;
    this.#open.wait(push);
    return { refused };
  }

  /** @throws GenApiError `invalid_request` if functions are missing, `not_found` */
  async end({ node }: PushingNode, body: unknown): Promise<PushOutcome> {
    const push = this.#open.get(parseAsk("push_end", body).push, node);
    const { begin, received, draft, refused, startedAt } = push;
    const { functions } = draft;
    this.#open.close(push);
    if (received !== begin.count) {
      throw libraryError("invalid_request", `The push announced ${begin.count} functions, got ${received}`);
    }
    await this.#registrar.put(begin.service, node, functionSet(begin, node, functions, true));
    this.#deps.served(begin.service);
    this.#report(begin, node, "accepted", startedAt, functions.size, refused);
    return { outcome: "accepted", accepted: functions.size, refused: [] };
  }

  /** @throws GenApiError `invalid_request`, `permission_denied` */
  verify(from: PushingNode, body: unknown): VerifyOutcome {
    const asked = parseAsk("verify", body);
    mayPush(from, asked.service);
    const set = this.#deps.sets.get(asked.service, from.node);
    if (set === undefined) return { outcome: "not_found" };
    const outcome = this.#verify(set, asked);
    return outcome === "mismatch" ? { outcome, gatewayVersion: set.configVersion ?? "" } : { outcome };
  }

  /** Whether this version of the set is registered, so that no push is needed. */
  isCurrent(service: string, node: string, configVersion: string): boolean {
    const set = this.#deps.sets.get(service, node);
    return set?.configVersion === configVersion && this.#registrar.isRegistered(service, set);
  }

  /** @throws GenApiError `invalid_config` if the node returned no list, or one that is too long */
  async pulled({ service, set: key, node, nodes, allowedNodes, ...pull }: PulledFunctions): Promise<PulledOutcome> {
    const { sets, limits } = this.#deps;
    const before = sets.get(service, key);
    if (!Array.isArray(pull.functions)) {
      const came = describe(pull.functions);
      throw libraryError("invalid_config", `The node "${node}" must return a list of FunConfigs, got ${came}`);
    }
    if (pull.functions.length > limits.maxFunctions) {
      const most = `${limits.maxFunctions} FunConfigs at most, got ${pull.functions.length}`;
      throw libraryError("invalid_config", `The node "${node}" may return ${most}`);
    }
    const draft = new FunctionDraft();
    const sender: Sender = { service, node, via: "pull", nodes, allowedNodes };
    const refused = await this.#intake.take(pull.functions, sender, draft);
    const outcome = { accepted: draft.functions.size, refused: refused.length };
    // The node was forgotten, or has pushed meanwhile: its push is newer.
    if (key !== pulledSet && (before === undefined || sets.get(service, key) !== before)) {
      return { ...outcome, isChanged: false };
    }
    const after: FunctionSet = {
      functions: draft.functions,
      count: pull.functions.length,
      configVersion: pull.configVersion,
      functionsHash: null,
      nodes,
      origin: "pulled",
      pull: before?.pull ?? null,
      isOwn: true,
    };
    // A node without a version keeps that of its push, as long as its functions are those of that push.
    const isSame = before !== undefined && sameFunctions(before, after);
    const { configVersion, functionsHash } = isSame ? before : after;
    const set = { ...after, configVersion: pull.configVersion ?? configVersion, functionsHash };
    const isChanged = before === undefined || !sameSet(before, set) || !this.#registrar.isRegistered(service, before);
    if (isChanged) await this.#registrar.put(service, key, set);
    this.#deps.served(service);
    return { ...outcome, isChanged };
  }

  /** A push that another gateway accepted, or this one before its restart. */
  async shared(push: AcceptedPush): Promise<void> {
    const { service, node, functions, count = functions.length, functionsHash = null } = push;
    const { sets, isLive } = this.#deps;
    // What the node itself has sent is newer, or the same.
    if (sets.get(service, node)?.isOwn === true && isLive(node, service)) return;
    const draft = new FunctionDraft();
    await this.#intake.take(functions, senderOf(service, node, "shared"), draft);
    const before = sets.get(service, node);
    if (before?.isOwn === true && isLive(node, service)) return;
    const set = functionSet({ ...push, count, functionsHash }, node, draft.functions, false);
    if (before === undefined || !sameSet(before, set)) await this.#registrar.put(service, node, set);
    // The mark shows a concurrent removal that it was sent again.
    else sets.mark(service, node, before.isOwn);
  }

  /**
   * A gateway has withdrawn the node's push. If the node is up, this gateway knows better.
   *
   * @param isAwaited whether the node itself told this gateway what it has, and still has time to come back
   */
  async sharedRemoved(service: string, node: string, isAwaited: boolean): Promise<void> {
    if (this.#deps.isLive(node, service)) this.#registrar.share(service, node);
    else if (!isAwaited) await this.#registrar.remove(service, node);
  }

  /** Shares the pushes of live nodes again, in a place that was reopened. */
  shareAll(): void {
    for (const [service, node] of this.#deps.sets.entries()) this.#registrar.share(service, node);
  }

  /** Drops the node's open pushes. */
  lost(node: string): void {
    this.#open.closeAll(node);
  }

  /**
   * The node's time to come back is over. Functions received from other gateways are theirs to withdraw. Functions that
   * the node sent to this gateway are dropped only if someone knows that it is gone for good: the node itself, or
   * another node of the service, which replaced it or was there all along.
   *
   * @param isSaid whether the node itself has said that it no longer serves this
   */
  async forget(absence: Absence, isSaid: boolean): Promise<Forgetting> {
    const { service, node } = absence;
    const { sets, isLive } = this.#deps;
    const set = sets.get(service, node);
    if (set === undefined || isLive(node, service)) return "gone";
    if (!set.isOwn) return "kept";
    return isSaid || this.#hasSuccessor(absence) ? this.#drop(absence, true) : "kept";
  }

  /** No gateway vouches any more for what the node once told one of them. */
  async orphaned(absence: Absence): Promise<void> {
    const { service, node } = absence;
    const { sets, isLive } = this.#deps;
    if (sets.get(service, node)?.isOwn !== false || isLive(node, service) || !this.#hasSuccessor(absence)) return;
    await this.#drop(absence, false);
  }

  #hasSuccessor({ service, node }: Absence): boolean {
    const { sets, isLive } = this.#deps;
    return sets.hasNodes(service, (other) => other !== node && isLive(other, service), node);
  }

  /** Drops what the node sent: first from the shared place, so that all gateways do. */
  async #drop({ service, node }: Absence, isOwn: boolean): Promise<Exclude<Forgetting, "kept">> {
    const { sets, isLive, shared } = this.#deps;
    const place = shared();
    if (place !== undefined) {
      // If another gateway that has the node puts it again, it belongs to that gateway.
      const set = sets.mark(service, node, false);
      const isRemoved = await place.remove(service, node);
      const now = sets.get(service, node);
      if (now !== undefined && now !== set) return "undecided";
      if (!isRemoved) {
        sets.mark(service, node, isOwn);
        return "undecided";
      }
    }
    // The node may have come back meanwhile.
    if (isLive(node, service)) return "undecided";
    await this.#registrar.remove(service, node);
    return "gone";
  }

  /** Drops, only here, what exceeds the bound. */
  async evict({ service, node }: Absence): Promise<void> {
    if (!this.#deps.isLive(node, service)) await this.#registrar.remove(service, node);
  }

  /** Whether a push of this would change nothing: a function that was refused may be accepted now. */
  #verify(set: FunctionSet, { service, configVersion, functionsHash }: Verify): VerifyOutcome["outcome"] {
    const isThat = functionsHash === null || set.functionsHash === functionsHash;
    if (set.configVersion !== configVersion || !isThat || !isComplete(set)) return "mismatch";
    // The host may have removed one of the functions.
    return this.#registrar.isRegistered(service, set) ? "matched" : "not_found";
  }

  #stillOpen(push: OpenPush): void {
    if (this.#open.has(push)) return;
    throw libraryError("not_found", `The push ${push.id} was dropped, since its node was lost`);
  }

  #report(
    { service, configVersion }: PushBegin,
    node: string,
    outcome: "accepted" | "skipped",
    startedAt: number,
    accepted: number,
    refused: number,
  ): void {
    if (!pushed.active) return;
    const { gateway, clock } = this.#deps;
    const duration_us = outcome === "skipped" ? 0 : Math.round((clock.now() - startedAt) * 1000);
    pushed.emit({ duration_us, accepted, refused }, { gateway, service, node, config_version: configVersion, outcome });
  }
}

function mayPush({ node, services }: PushingNode, service: string): void {
  if (services.includes(service)) return;
  const allowed = services.map((name) => `"${name}"`).join(", ") || "none";
  throw libraryError(
    "permission_denied",
    `The node "${node}" may push for its services (${allowed}), not "${service}"`,
  );
}

function senderOf(service: string, node: string, via: "push" | "shared"): Sender {
  const nodes = [node];
  return { service, node, via, nodes, allowedNodes: nodes };
}

function functionSet(
  begin: Pick<PushBegin, "configVersion" | "functionsHash" | "count" | "pull">,
  node: string,
  functions: ReadonlyMap<string, HeldFunction>,
  isOwn: boolean,
): FunctionSet {
  const { configVersion, functionsHash, count, pull } = begin;
  return { functions, count, configVersion, functionsHash, nodes: [node], origin: "pushed", pull, isOwn };
}
