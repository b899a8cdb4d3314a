import { type GenApiError, libraryError } from "../core/errors.ts";
import type { Clock } from "../core/time/clock.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { RemoteCall } from "./calls/remote-call.ts";
import { isFarewell } from "./farewell.ts";
import type { GatewaySession, GatewaySessionHost } from "./gateway-session.ts";
import type { NodeIdentity } from "./greeting/proof.ts";

const cameUp = telemetryEvent("node.up");
const wentDown = telemetryEvent("node.down");
const wasRefused = telemetryEvent("node.refuse");
const threw = telemetryEvent("node.call.exception");

/** A service node as its gateway sees it. */
export interface NodeStatus {
  /** Its name. */
  readonly node: string;
  /** The services it announced. */
  readonly services: readonly string[];
  /** "leaving": it stops and gets no more calls. */
  readonly state: "up" | "leaving" | "down";
  /** When it entered this state; for `leaving`, when it came up. Milliseconds since 1970. */
  readonly since: number;
  /** Its calls and streams in progress. */
  readonly inFlight: number;
  /** The address it connects from. */
  readonly peer: string;
}

interface KnownNode {
  readonly session: GatewaySession;
  /** The services it announced and its token allows. */
  readonly services: ReadonlySet<string>;
  /** When it came up, by the clock's `now`. */
  readonly upAt: number;
  /** When it went, by the clock's `now`; null while it is up. */
  goneAt: number | null;
  since: number;
}

interface CachedList {
  readonly epoch: number;
  readonly service: string;
  readonly live: readonly string[];
}

/** The most nodes that a gateway knows, including gone ones that it has not forgotten yet. */
export const maxNodes = 10_000;

/**
 * The service nodes of a gateway by name. Sessions register and leave here directly, and callers of nodes read it
 * directly. A name proves nothing, since any node may take a free one: a node gets calls only for the services it
 * announced. The table outlives the actor that watches it.
 */
export class NodeTable
  implements Pick<GatewaySessionHost, "admit" | "up" | "leaving" | "down" | "refused" | "listenerThrew">
{
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

  /** Whether a node of this name is up, whatever it serves. */
  isUp(name: string): boolean {
    return this.#nodes.get(name)?.session.state === "up";
  }

  /** Whether a node of this name can be called for the service. */
  isLive(name: string, service: string): boolean {
    return this.get(name, service) !== null;
  }

  /** The session with a node that can be called for the service, or null. */
  get(name: string, service: string): GatewaySession | null {
    const known = this.#nodes.get(name);
    return known?.session.state === "up" && known.services.has(service) ? known.session : null;
  }

  /**
   * Whether the node itself said that it no longer serves this: it left in good order, or is up without the service.
   */
  hasGivenUp(name: string, service: string): boolean {
    const known = this.#nodes.get(name);
    if (known === undefined) return false;
    const { session, services } = known;
    return session.state === "down" ? session.hasLeft : session.state === "up" && !services.has(service);
  }

  /**
   * The names, in their order, of nodes that can be called for the service. Repeating the last query for a service,
   * with the same list, costs one comparison.
   */
  live(names: readonly string[], service: string): readonly string[] {
    const cached = this.#lists.get(names);
    if (cached !== undefined && cached.epoch === this.#epoch && cached.service === service) return cached.live;
    const live = names.filter((name) => this.isLive(name, service));
    this.#lists.set(names, { epoch: this.#epoch, service, live });
    return live;
  }

  /** Every known node; gone ones until they are forgotten. */
  list(): readonly NodeStatus[] {
    return Array.from(this.#nodes, ([node, { session, since }]) => {
      const state = session.state === "up" || session.state === "leaving" ? session.state : "down";
      const { identity, inFlight, peer } = session;
      return { node, services: identity?.services ?? [], state, since, inFlight, peer };
    });
  }

  /**
   * Whether a node that has proven its identity may come in; not while another process uses its name.
   *
   * @returns the error that refuses it, or null
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

  /** A node came in. Closes its former session, which may not have noticed its end yet. */
  up(session: GatewaySession): void {
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
  down(session: GatewaySession, reason: string): void {
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

  /** A caller's callback threw when it received the result. */
  listenerThrew({ identity }: GatewaySession, call: Pick<RemoteCall, "service" | "requestType">, error: Error): void {
    const { service, requestType: request_type } = call;
    const node = identity?.node ?? "";
    threw.emit(
      { system_time: this.#clock.systemTime() },
      { gateway: this.#gateway, node, service, request_type, error },
    );
  }

  /** The nodes that have been gone for at least `forMs`. */
  gone(forMs: number): string[] {
    const before = this.#clock.now() - forMs;
    return Array.from(this.#nodes).flatMap(([node, { goneAt }]) => (goneAt !== null && goneAt <= before ? [node] : []));
  }

  /** Restarts the time of all gone nodes, because none could have come back meanwhile. */
  postpone(): void {
    const now = this.#clock.now();
    for (const known of this.#nodes.values()) if (known.goneAt !== null) known.goneAt = now;
  }

  /** Removes a node that is gone. */
  forget(node: string): void {
    if (this.#nodes.get(node)?.goneAt !== null) this.#nodes.delete(node);
  }

  #tellDown({ session: { identity, inFlight }, upAt }: KnownNode, reason: string): void {
    if (!wentDown.active) return;
    const { node } = identity as NodeIdentity;
    const duration_us = Math.round((this.#clock.now() - upAt) * 1000);
    const orderly = isFarewell(reason);
    wentDown.emit({ duration_us, calls_lost: inFlight }, { gateway: this.#gateway, node, reason, orderly });
  }
}
