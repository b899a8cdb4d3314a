import type { Clock } from "../core/clock.ts";
import { describe, libraryError } from "../core/errors.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { Absence } from "./absences.ts";
import type { Mfa } from "./fun-config.ts";
import { FunctionDraft, FunctionIntake, type IntakeSources, type Sender } from "./function-intake.ts";
import { type FunctionSet, type HeldFunction, isComplete, pulledSet, sameFunctions, sameSet } from "./function-sets.ts";
import { type OpenPush, OpenPushes } from "./open-pushes.ts";
import {
  type AcceptedPush,
  type PushBegin,
  type PushBegun,
  type PushOutcome,
  parseAsk,
  type SliceOutcome,
  type Verify,
  type VerifyOutcome,
} from "./push.ts";
import { SetRegistrar, type SetRegistrarSources } from "./set-registrar.ts";
import type { Turns } from "./turns.ts";

const pushed = telemetryEvent("config.push");

/** A node as its session knows it. */
export interface PushingNode {
  readonly node: string;
  /** The services that it may push. */
  readonly services: readonly string[];
}

/** What was pulled of a service. */
export interface PulledFunctions {
  readonly service: string;
  /** Whose set it becomes: a node's that asked for it in a push, or `pulledSet`. */
  readonly set: string;
  /** Who answered. */
  readonly node: string;
  readonly nodes: readonly string[] | Mfa;
  readonly allowedNodes: readonly string[];
  readonly configVersion: string | null;
  /** What the node's function returned. */
  readonly functions: unknown;
}

/** What came of a pull. */
export interface PulledOutcome {
  readonly isChanged: boolean;
  readonly accepted: number;
  readonly refused: number;
}

/** What {@link ConfigReceiver} needs of the gateway. */
export interface ConfigReceiverSources extends IntakeSources, SetRegistrarSources {
  readonly clock: Clock;
}

/** Takes the functions of nodes, pushed, pulled or shared by other gateways: decides what becomes of them. */
export class ConfigReceiver {
  readonly #sources: ConfigReceiverSources;
  readonly #intake: FunctionIntake;
  readonly #registrar: SetRegistrar;
  readonly #open: OpenPushes;

  constructor(sources: ConfigReceiverSources, turns: Turns) {
    this.#sources = sources;
    this.#intake = new FunctionIntake(sources, turns);
    this.#registrar = new SetRegistrar(sources, turns);
    this.#open = new OpenPushes(sources.clock, sources.limits);
  }

  /** Repairs what a crash may have left half done. */
  recover(): Promise<void> {
    return this.#registrar.recover();
  }

  /** @throws GenApiError `invalid_request`, `permission_denied`, `unavailable` */
  begin(from: PushingNode, body: unknown): PushBegun {
    const { sets, limits } = this.#sources;
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
    const { sliceSize } = this.#sources.limits;
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

  /** @throws GenApiError `invalid_request` where functions are missing, `not_found` */
  async end({ node }: PushingNode, body: unknown): Promise<PushOutcome> {
    const push = this.#open.get(parseAsk("push_end", body).push, node);
    const { begin, received, draft, refused, startedAt } = push;
    const { functions } = draft;
    this.#open.close(push);
    if (received !== begin.count) {
      throw libraryError("invalid_request", `The push announced ${begin.count} functions, got ${received}`);
    }
    await this.#registrar.put(begin.service, node, functionSet(begin, node, functions, true));
    this.#registrar.arrived(begin.service, functions.size, refused);
    this.#report(begin, node, "accepted", startedAt, functions.size, refused);
    return { outcome: "accepted", accepted: functions.size, refused: [] };
  }

  /** @throws GenApiError `invalid_request`, `permission_denied` */
  verify(from: PushingNode, body: unknown): VerifyOutcome {
    const asked = parseAsk("verify", body);
    mayPush(from, asked.service);
    const set = this.#sources.sets.get(asked.service, from.node);
    if (set === undefined) return { outcome: "not_found" };
    const outcome = this.#verify(set, asked);
    return outcome === "mismatch" ? { outcome, gatewayVersion: set.configVersion ?? "" } : { outcome };
  }

  /** Whether this version of the set is registered, so that nothing needs to be pulled. */
  isCurrent(service: string, node: string, configVersion: string): boolean {
    const set = this.#sources.sets.get(service, node);
    return set?.configVersion === configVersion && this.#registrar.isRegistered(service, set);
  }

  /** @throws GenApiError `invalid_config` where the node returned no list, or too long a one */
  async pulled({ service, set: key, node, nodes, allowedNodes, ...pull }: PulledFunctions): Promise<PulledOutcome> {
    const { sets, limits } = this.#sources;
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
    // The node was forgotten, or has pushed meanwhile: what it pushes is newer.
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
    // A node that tells no version keeps the one that it pushed, as long as its functions are those of that push.
    const isSame = before !== undefined && sameFunctions(before, after);
    const { configVersion, functionsHash } = isSame ? before : after;
    const set = { ...after, configVersion: pull.configVersion ?? configVersion, functionsHash };
    const isChanged = before === undefined || !sameSet(before, set) || !this.#registrar.isRegistered(service, before);
    if (isChanged) await this.#registrar.put(service, key, set);
    this.#registrar.arrived(service, outcome.accepted, outcome.refused);
    return { ...outcome, isChanged };
  }

  /** A push that another gateway accepted, or this one before its restart. */
  async shared(push: AcceptedPush): Promise<void> {
    const { service, node, functions, count = functions.length, functionsHash = null } = push;
    const { sets, isLive } = this.#sources;
    // What the node itself has told is newer, or the same.
    if (sets.get(service, node)?.isOwn === true && isLive(node, service)) return;
    const draft = new FunctionDraft();
    await this.#intake.take(functions, senderOf(service, node, "shared"), draft);
    const before = sets.get(service, node);
    if (before?.isOwn === true && isLive(node, service)) return;
    const set = functionSet({ ...push, count, functionsHash }, node, draft.functions, false);
    if (before === undefined || !sameSet(before, set)) await this.#registrar.put(service, node, set);
    this.#registrar.arrived(service, draft.functions.size, functions.length - draft.functions.size);
  }

  /** Another gateway has taken back what the node pushed. */
  async sharedRemoved(service: string, node: string): Promise<void> {
    if (this.#sources.isLive(node, service)) this.#registrar.share(service, node);
    else await this.#registrar.remove(service, node);
  }

  /** Shares again what live nodes have pushed here, in a place that was opened anew. */
  shareAll(): void {
    for (const [service, node] of this.#sources.sets.entries()) this.#registrar.share(service, node);
  }

  /** Drops the node's pushes under way. */
  lost(node: string): void {
    this.#open.closeAll(node);
  }

  /** Takes away what the node pushed of a service, unless it serves that again. */
  async forget({ service, node }: Absence): Promise<void> {
    const { sets, isLive, shared } = this.#sources;
    if (isLive(node, service) || sets.get(service, node) === undefined) return;
    shared()?.remove(service, node);
    await this.#registrar.remove(service, node);
  }

  /** Whether a push of this would change nothing: a function that was refused may be accepted now. */
  #verify(set: FunctionSet, { service, configVersion, functionsHash }: Verify): VerifyOutcome["outcome"] {
    const isThat = functionsHash === null || set.functionsHash === functionsHash;
    if (set.configVersion !== configVersion || !isThat || !isComplete(set)) return "mismatch";
    // The host may have taken out one of the functions.
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
    const { gateway, clock } = this.#sources;
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
