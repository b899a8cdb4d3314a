import type { Mfa } from "../../config/fun-config.ts";
import type { ConfigEntry, RegisteredBy } from "../../config/function-table.ts";
import type { PullSource } from "../push/push.ts";

/** The name for functions pulled by a serviceConfig; no node can have it. */
export const pulledSet = "";

/** A function as one node sent it, and its compiled form. Nodes that sent the same share one object. */
export interface HeldFunction {
  readonly requestType: string;
  readonly version: string | null;
  /** Hash of `sent`. */
  readonly hash: string;
  /** The FunConfig as it came, without `nodes` if they are the sender's. */
  readonly sent: unknown;
  readonly entry: ConfigEntry;
  /** The nodes or the resolver that the FunConfig itself names; null: those of its set. */
  readonly nodes: readonly string[] | Mfa | null;
}

/** The functions of one service that came from one node, by {@link functionKey}. */
export interface FunctionSet {
  /** The accepted functions. */
  readonly functions: ReadonlyMap<string, HeldFunction>;
  /** How many were sent; more than `functions` has if some were refused. */
  readonly count: number;
  /** Null if a pull asks for no version. */
  readonly configVersion: string | null;
  /** Hash of what the node pushed; null if unknown or pulled. */
  readonly functionsHash: string | null;
  /** The nodes that run the functions: the node that pushed them, or those of a pulled service. */
  readonly nodes: readonly string[] | Mfa;
  readonly origin: Exclude<RegisteredBy, "host">;
  /** How the functions can be pulled from the node. */
  readonly pull: PullSource | null;
  /** Whether it came from the node itself rather than through another gateway. */
  readonly isOwn: boolean;
}

/** What is registered for one function: the newest content, and every node that has the function. */
export interface EffectiveFunction {
  readonly held: HeldFunction;
  readonly nodes: readonly string[] | Mfa;
  readonly origin: RegisteredBy;
}

/** What a node pushed, as its gateway shows it. */
export interface PushedServiceStatus {
  /** The service of the functions. */
  readonly service: string;
  /** Null for functions pulled by a serviceConfig. */
  readonly node: string | null;
  /** The version of the whole set; null if it was pulled without one. */
  readonly configVersion: string | null;
  /** The number of functions. */
  readonly count: number;
  /** Whether the node pushed them or they were pulled. */
  readonly origin: RegisteredBy;
}

interface Kept extends FunctionSet {
  /** Grows with every set that is put: the newest content wins. */
  readonly order: number;
}

/**
 * The latest set of each node, by service; it alone determines what is registered. The receiver's table: it survives a
 * crash of that actor.
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

  /** The node itself has confirmed to this gateway that its set is still right. */
  confirm(service: string, node: string, pull: PullSource | null): void {
    const nodes = this.#services.get(service);
    const set = nodes?.get(node);
    if (set !== undefined) nodes?.set(node, { ...set, pull, isOwn: true });
  }

  /**
   * Records whether the set comes from the node itself or from another gateway.
   * @returns the set as it is then
   */
  mark(service: string, node: string, isOwn: boolean): FunctionSet | undefined {
    const nodes = this.#services.get(service);
    const set = nodes?.get(node);
    if (set !== undefined) nodes?.set(node, { ...set, isOwn });
    return nodes?.get(node);
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

  /** Whether any set of the service has functions, or is meant to have none. */
  has(service: string): boolean {
    for (const { functions, count } of this.#services.get(service)?.values() ?? []) {
      if (functions.size > 0 || count === 0) return true;
    }
    return false;
  }

  /** Whether one of the service's nodes is live; true if a resolver decides on the nodes. */
  hasNodes(service: string, isLive: (node: string) => boolean, without?: string): boolean {
    for (const [node, { nodes }] of this.#services.get(service) ?? []) {
      if (node !== without && (!isList(nodes) || nodes.some(isLive))) return true;
    }
    return false;
  }

  /** The services that have sets. */
  services(): string[] {
    return [...this.#services.keys()];
  }

  /** The services for which the node has a set. */
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

  /** What to register under the key; undefined if no node has it. */
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

  /**
   * The functions of `set` that replace another content of another node.
   *
   * @returns the first of these nodes, and the functions' names
   */
  replacedBy(
    service: string,
    node: string,
    set: FunctionSet,
  ): { readonly node: string; readonly functions: string[] } | null {
    let first: string | undefined;
    const functions: string[] = [];
    for (const [key, { requestType, version, hash }] of set.functions) {
      // Only for content that takes effect: the node's unchanged content is no news.
      if (this.get(service, node)?.functions.get(key)?.hash === hash) continue;
      for (const [other, { functions: theirs }] of this.#services.get(service) ?? []) {
        if (other === node || (theirs.get(key)?.hash ?? hash) === hash) continue;
        first ??= other;
        functions.push(version === null ? requestType : `${requestType} ${version}`);
        break;
      }
    }
    return first === undefined ? null : { node: first, functions };
  }

  /** The newest set with this version, and its node. */
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

  /** Usually all functions of a service have the same nodes: they share one list. */
  #shared(nodes: readonly string[]): readonly string[] {
    if (!sameNodes(this.#lastNodes, nodes)) this.#lastNodes = Object.freeze(nodes);
    return this.#lastNodes;
  }
}

/** Identifies a function within its service. */
export function functionKey(requestType: string, version: string | null): string {
  // A version contains no space.
  return `${version ?? ""} ${requestType}`;
}

/** Whether no function was refused. */
export function isComplete({ functions, count }: FunctionSet): boolean {
  return functions.size === count;
}

/** Whether replacing one with the other changes nothing. */
export function sameSet(one: FunctionSet, other: FunctionSet): boolean {
  const isAlike = one.configVersion === other.configVersion && one.functionsHash === other.functionsHash;
  return isAlike && one.count === other.count && sameNodes(one.nodes, other.nodes) && sameFunctions(one, other);
}

/** Whether both hold the same functions with the same content. */
export function sameFunctions({ functions: these }: FunctionSet, { functions: those }: FunctionSet): boolean {
  if (these.size !== those.size) return false;
  for (const [key, { hash }] of these) {
    if (those.get(key)?.hash !== hash) return false;
  }
  return true;
}

/** Whether the two differ, as far as we can tell: a function missing here may have been refused. */
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

/** Whether these are names rather than a resolver. */
export function isList(nodes: readonly string[] | Mfa): nodes is readonly string[] {
  return Array.isArray(nodes);
}
