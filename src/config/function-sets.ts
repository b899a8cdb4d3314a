import type { ConfigEntry, Origin } from "./config-store.ts";
import type { Mfa } from "./fun-config.ts";
import type { PullSource } from "./push.ts";

/** Under this name, which no node can have, stands what was pulled by a serviceConfig. */
export const pulledSet = "";

/** A function as one node sent it, and what was compiled of it. One object for all nodes that sent the same. */
export interface HeldFunction {
  readonly requestType: string;
  readonly version: string | null;
  /** Stands for `sent`. */
  readonly hash: string;
  /** The FunConfig as it came, without `nodes` where they are the sender's. */
  readonly sent: unknown;
  readonly entry: ConfigEntry;
  /** The nodes or resolver that the FunConfig itself names; null for those of its set. */
  readonly nodes: readonly string[] | Mfa | null;
}

/** The functions of one service that came from one node, by {@link functionKey}. */
export interface FunctionSet {
  /** Those that were accepted. */
  readonly functions: ReadonlyMap<string, HeldFunction>;
  /** How many were sent: more where some were refused. */
  readonly count: number;
  /** Null where a pull asks for no version. */
  readonly configVersion: string | null;
  /** Stands for what the node pushed; null where that is not known, or they were pulled. */
  readonly functionsHash: string | null;
  /** Who runs the functions: the node that pushed them, or those of a pulled service. */
  readonly nodes: readonly string[] | Mfa;
  readonly origin: Exclude<Origin, "host">;
  /** How the node wants to be pulled from. */
  readonly pull: PullSource | null;
  /** Whether it came from the node itself rather than by way of another gateway. */
  readonly isOwn: boolean;
}

/** What is registered for one function: the newest content, and all who have the function. */
export interface EffectiveFunction {
  readonly held: HeldFunction;
  readonly nodes: readonly string[] | Mfa;
  readonly origin: Origin;
}

/** What a node has pushed, as its gateway tells it. */
export interface PushedServiceStatus {
  /** The service that the functions are of. */
  readonly service: string;
  /** Null for what was pulled by a serviceConfig. */
  readonly node: string | null;
  /** The version of the whole set; null where it was pulled without one. */
  readonly configVersion: string | null;
  /** How many functions. */
  readonly count: number;
  /** Whether the node pushed them, or was asked for them. */
  readonly origin: Origin;
}

interface Kept extends FunctionSet {
  /** Grows with every set that is put: the newest content wins. */
  readonly order: number;
}

/**
 * What each node sent last, by service; what is registered of it follows from it alone. The receiver's table: it
 * survives a crash of that actor.
 */
export class FunctionSets {
  readonly #services = new Map<string, Map<string, Kept>>();
  #order = 0;
  #pushes = 0;
  #lastNodes: readonly string[] = Object.freeze([]);

  /** A number that no push had before. */
  nextPush(): number {
    this.#pushes += 1;
    return this.#pushes;
  }

  get(service: string, node: string): FunctionSet | undefined {
    return this.#services.get(service)?.get(node);
  }

  /** Makes `set` the node's latest. */
  put(service: string, node: string, set: FunctionSet): void {
    let nodes = this.#services.get(service);
    if (nodes === undefined) {
      nodes = new Map();
      this.#services.set(service, nodes);
    }
    this.#order += 1;
    nodes.set(node, { ...set, order: this.#order });
  }

  /** The node itself has told this gateway that its set is still right. */
  confirm(service: string, node: string, pull: PullSource | null): void {
    const nodes = this.#services.get(service);
    const set = nodes?.get(node);
    if (set !== undefined) nodes?.set(node, { ...set, pull, isOwn: true });
  }

  /** @returns the set that was there */
  delete(service: string, node: string): FunctionSet | undefined {
    const nodes = this.#services.get(service);
    const set = nodes?.get(node);
    nodes?.delete(node);
    if (nodes?.size === 0) this.#services.delete(service);
    return set;
  }

  /** Every set, with its service and node. */
  *entries(): Generator<readonly [service: string, node: string, set: FunctionSet]> {
    for (const [service, nodes] of this.#services) {
      for (const [node, set] of nodes) yield [service, node, set];
    }
  }

  /** The services of which the node has a set. */
  servicesOf(node: string): string[] {
    return Array.from(this.#services).flatMap(([service, nodes]) => (nodes.has(node) ? [service] : []));
  }

  /** The function with this content, if any node's set holds it. */
  held(service: string, key: string, hash: string): HeldFunction | undefined {
    for (const { functions } of this.#services.get(service)?.values() ?? []) {
      const held = functions.get(key);
      if (held?.hash === hash) return held;
    }
    return undefined;
  }

  /** What is to be registered under the key; undefined: nothing, nobody has it. */
  effective(service: string, key: string): EffectiveFunction | undefined {
    let newest: Kept | undefined;
    const names = new Set<string>();
    for (const set of this.#services.get(service)?.values() ?? []) {
      const held = set.functions.get(key);
      if (held === undefined) continue;
      if (newest === undefined || set.order > newest.order) newest = set;
      const nodes = held.nodes ?? set.nodes;
      if (isList(nodes)) for (const node of nodes) names.add(node);
    }
    const held = newest?.functions.get(key);
    if (newest === undefined || held === undefined) return undefined;
    const nodes = held.nodes ?? newest.nodes;
    return { held, origin: newest.origin, nodes: isList(nodes) ? this.#shared([...names].sort()) : nodes };
  }

  /** The newest set with this version, and whose it is. */
  newestWithVersion(service: string, configVersion: string): readonly [node: string, set: FunctionSet] | undefined {
    let newest: readonly [string, Kept] | undefined;
    for (const [node, set] of this.#services.get(service) ?? []) {
      if (set.configVersion !== configVersion) continue;
      if (newest === undefined || set.order > newest[1].order) newest = [node, set];
    }
    return newest;
  }

  status(): PushedServiceStatus[] {
    return Array.from(this.entries(), ([service, node, { configVersion, functions, origin }]) => ({
      service,
      node: node === pulledSet ? null : node,
      configVersion,
      count: functions.size,
      origin,
    }));
  }

  /** Mostly all functions of a service have the same nodes: one list for all of them. */
  #shared(nodes: readonly string[]): readonly string[] {
    if (!sameNodes(this.#lastNodes, nodes)) this.#lastNodes = Object.freeze(nodes);
    return this.#lastNodes;
  }
}

/** Names a function within its service. */
export function functionKey(requestType: string, version: string | null): string {
  // A version holds no space.
  return `${version ?? ""} ${requestType}`;
}

/** Whether nothing that was sent was refused. */
export function isComplete({ functions, count }: FunctionSet): boolean {
  return functions.size === count;
}

/** Whether nothing would change if one came instead of the other. */
export function sameSet(one: FunctionSet, other: FunctionSet): boolean {
  const isAlike = one.configVersion === other.configVersion && one.functionsHash === other.functionsHash;
  return isAlike && one.count === other.count && sameNodes(one.nodes, other.nodes) && sameFunctions(one, other);
}

/** Whether both hold the same functions with the same contents. */
export function sameFunctions({ functions: these }: FunctionSet, { functions: those }: FunctionSet): boolean {
  if (these.size !== those.size) return false;
  for (const [key, { hash }] of these) {
    if (those.get(key)?.hash !== hash) return false;
  }
  return true;
}

/** Whether other functions were sent, as far as it shows: what was refused of one may be what the other has more. */
export function differ(one: FunctionSet, other: FunctionSet): boolean {
  if (one.count !== other.count) return true;
  if (isComplete(one) && isComplete(other)) return !sameFunctions(one, other);
  return Array.from(one.functions).some(([key, { hash }]) => (other.functions.get(key)?.hash ?? hash) !== hash);
}

/** Whether both name the same nodes, in the same order, or the same resolver. */
export function sameNodes(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((node, index) => node === other[index]);
  }
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Whether these are names, not a resolver. */
export function isList(nodes: readonly string[] | Mfa): nodes is readonly string[] {
  return Array.isArray(nodes);
}
