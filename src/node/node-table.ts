import type { Clock } from "../core/clock.ts";
import { type GenApiError, libraryError } from "../core/errors.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { NodeSession, NodeSessionHost } from "./node-session.ts";
import type { NodeIdentity } from "./proof.ts";

const cameUp = telemetryEvent("node.up");
const wentDown = telemetryEvent("node.down");
const wasRefused = telemetryEvent("node.refuse");

/** A service node as its gateway sees it. */
export interface NodeStatus {
  /** Its name. */
  readonly node: string;
  /** The services that it has said it is for. */
  readonly services: readonly string[];
  /** "leaving": it stops, and is sent no more calls. */
  readonly state: "up" | "leaving" | "down";
  /** When it came into this state; for `leaving`, when it came up. Milliseconds since 1970. */
  readonly since: number;
  /** Calls and streams that it has. */
  readonly inFlight: number;
  /** Where it connects from. */
  readonly peer: string;
}

interface KnownNode {
  readonly session: NodeSession;
  /** What it came for, and its token allows. */
  readonly services: ReadonlySet<string>;
  /** When it came up, of the clock's `now`. */
  readonly upAt: number;
  /** When it went, of the clock's `now`; null while it is there. */
  goneAt: number | null;
  since: number;
}

interface CachedList {
  readonly epoch: number;
  readonly service: string;
  readonly live: readonly string[];
}

/** The most nodes that a gateway knows, gone ones that it has not forgotten yet included. */
export const maxNodes = 10_000;

/**
 * The service nodes of a gateway by name: sessions come and go here directly, and who calls nodes reads it directly.
 * A name proves nothing, as anybody may come under one that is free: a node is given a service's calls only if it came
 * for that service. The table outlives the actor that watches it.
 */
export class NodeTable implements Pick<NodeSessionHost, "admit" | "up" | "leaving" | "down" | "refused"> {
  readonly #gateway: string;
  readonly #clock: Clock;
  readonly #nodes = new Map<string, KnownNode>();
  readonly #lists = new WeakMap<readonly string[], CachedList>();
  #epoch = 0;

  /** @param gateway the gateway's name, for telemetry */
  constructor(gateway: string, clock: Clock) {
    this.#gateway = gateway;
    this.#clock = clock;
  }

  /** Grows whenever a node comes, leaves or goes. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether a node of this name is here, whatever it serves. */
  isUp(name: string): boolean {
    return this.#nodes.get(name)?.session.state === "up";
  }

  /** Whether a node of this name can be called for the service. */
  isLive(name: string, service: string): boolean {
    return this.get(name, service) !== null;
  }

  /** The session with a node that can be called for the service, else null. */
  get(name: string, service: string): NodeSession | null {
    const known = this.#nodes.get(name);
    return known?.session.state === "up" && known.services.has(service) ? known.session : null;
  }

  /**
   * Those of the names that can be called for the service, in their order. Asking again with the same list, for the same
   * service as last, costs a comparison.
   */
  live(names: readonly string[], service: string): readonly string[] {
    const cached = this.#lists.get(names);
    if (cached !== undefined && cached.epoch === this.#epoch && cached.service === service) return cached.live;
    const live = names.filter((name) => this.isLive(name, service));
    this.#lists.set(names, { epoch: this.#epoch, service, live });
    return live;
  }

  /** Every node that is known, gone ones until they are forgotten. */
  list(): readonly NodeStatus[] {
    return Array.from(this.#nodes, ([node, { session, since }]) => {
      const state = session.state === "up" || session.state === "leaving" ? session.state : "down";
      const { identity, inFlight, peer } = session;
      return { node, services: identity?.services ?? [], state, since, inFlight, peer };
    });
  }

  /**
   * Whether a node that has proven who it is may come in: not while another process has its name.
   *
   * @returns what it is refused with, or null
   */
  admit({ node, instance }: NodeIdentity): GenApiError | null {
    const known = this.#nodes.get(node);
    if (known === undefined) {
      return this.#nodes.size < maxNodes
        ? null
        : libraryError("unavailable", `The gateway knows ${maxNodes} nodes, as many as it may`);
    }
    if (known.session.state === "down" || known.session.identity?.instance === instance) return null;
    return libraryError(
      "already_started",
      `The node ${node} is connected already, from another process or over another link`,
    );
  }

  /** A node came in. Its own former session, which may not have noticed its end yet, is closed. */
  up(session: NodeSession): void {
    const { node, services } = session.identity as NodeIdentity;
    const former = this.#nodes.get(node);
    const reason = "the node has connected again";
    if (former?.goneAt === null) this.#tellDown(former, reason);
    const upAt = this.#clock.now();
    this.#nodes.set(node, { session, services: new Set(services), upAt, goneAt: null, since: session.since });
    this.#epoch++;
    former?.session.close(reason);
    if (!cameUp.active) return;
    const { peer } = session;
    cameUp.emit({ system_time: this.#clock.systemTime() }, { gateway: this.#gateway, node, services, peer });
  }

  /** A node takes no more calls. */
  leaving(): void {
    this.#epoch++;
  }

  /** A session has ended. */
  down(session: NodeSession, reason: string): void {
    const { node } = session.identity as NodeIdentity;
    const known = this.#nodes.get(node);
    if (known?.session !== session) return;
    known.goneAt = this.#clock.now();
    known.since = this.#clock.systemTime();
    this.#epoch++;
    this.#tellDown(known, reason);
  }

  /** A node was not let in. */
  refused(peer: string, node: string | null, reason: string): void {
    if (!wasRefused.active) return;
    wasRefused.emit({ system_time: this.#clock.systemTime() }, { gateway: this.#gateway, node, peer, reason });
  }

  /** The nodes that have been gone for so long. */
  gone(forMs: number): string[] {
    const before = this.#clock.now() - forMs;
    return Array.from(this.#nodes).flatMap(([node, { goneAt }]) => (goneAt !== null && goneAt <= before ? [node] : []));
  }

  /** Takes out a node that is gone. */
  forget(node: string): void {
    if (this.#nodes.get(node)?.goneAt !== null) this.#nodes.delete(node);
  }

  #tellDown({ session: { identity, inFlight }, upAt }: KnownNode, reason: string): void {
    if (!wentDown.active) return;
    const { node } = identity as NodeIdentity;
    const duration_us = Math.round((this.#clock.now() - upAt) * 1000);
    wentDown.emit({ duration_us, calls_lost: inFlight }, { gateway: this.#gateway, node, reason });
  }
}
