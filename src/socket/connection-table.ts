import type { Socket } from "node:net";
import { Groups } from "../core/groups.ts";
import { networkOf } from "../core/net/ip-address.ts";
import type { Clock } from "../core/time/clock.ts";
import { closeCodes } from "../protocol/channel-events.ts";
import type { Connection } from "./connection.ts";
import type { ResolvedSocketOptions } from "./handshake/socket-options.ts";
import type { PushTarget } from "./pushes/push-targets.ts";

interface Watched {
  /** Bytes received at the last sweep that saw new ones, and its time. Whole milliseconds: V8 boxes fractions. */
  bytesReceived: number;
  heardAt: number;
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresAt: number | undefined;
}

/**
 * All sockets of a gateway: how many there are, which are idle or expired. It is read and changed directly and outlives
 * the listener, so that open connections keep their limits and timeouts when that restarts.
 */
export class ConnectionTable {
  readonly #clock: Clock;
  readonly #options: ResolvedSocketOptions;
  readonly #watched = new Map<Connection, Watched>();
  /** By the `id` and the `userId` that `connect` gave them. */
  readonly #byId = new Groups<string, Connection>();
  readonly #byUser = new Groups<string, Connection>();
  /** The admitted sockets, and the networks under which they count. */
  readonly #admitted = new Map<Socket, string>();
  readonly #perNetwork = new Map<string, number>();
  #sweptAt: number;
  #lastId = 0;

  constructor(clock: Clock, options: ResolvedSocketOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#sweptAt = clock.now();
  }

  /** Open connections. */
  get size(): number {
    return this.#watched.size;
  }

  /** The number of all connections so far. */
  get opened(): number {
    return this.#lastId;
  }

  /** A name for a new connection, unique in this gateway. */
  nextId(): string {
    this.#lastId += 1;
    return `connection_${this.#lastId}`;
  }

  /**
   * Counts a socket that wants to connect.
   * @returns undefined, or the HTTP status of its refusal
   */
  admit(socket: Socket, address: string): 429 | 503 | undefined {
    const network = networkOf(address);
    const ofNetwork = this.#perNetwork.get(network) ?? 0;
    if (this.#admitted.size >= this.#options.maxConnections) return 503;
    if (ofNetwork >= this.#options.maxConnectionsPerAddress) return 429;
    this.#admitted.set(socket, network);
    this.#perNetwork.set(network, ofNetwork + 1);
    return undefined;
  }

  /** Stops counting an admitted socket, once. */
  release(socket: Socket): void {
    const network = this.#admitted.get(socket);
    if (network === undefined) return;
    this.#admitted.delete(socket);
    const ofNetwork = this.#perNetwork.get(network) ?? 0;
    if (ofNetwork > 1) this.#perNetwork.set(network, ofNetwork - 1);
    else this.#perNetwork.delete(network);
  }

  add(connection: Connection): void {
    const { expiresAt, id, userId } = connection.socket.assigns;
    if (id) this.#byId.add(id, connection);
    if (userId) this.#byUser.add(userId, connection);
    this.#watched.set(connection, {
      bytesReceived: connection.bytesReceived,
      heardAt: Math.round(this.#clock.now()),
      expiresAt: expiresAt == null ? undefined : Number(expiresAt),
    });
  }

  delete(connection: Connection): void {
    const { id, userId } = connection.socket.assigns;
    if (id) this.#byId.delete(id, connection);
    if (userId) this.#byUser.delete(userId, connection);
    this.#watched.delete(connection);
  }

  /** The open ones of one client. */
  of(target: PushTarget): Connection[] {
    return "id" in target ? this.#byId.of(target.id) : this.#byUser.of(target.userId);
  }

  /** The open ones. */
  get connections(): Connection[] {
    return [...this.#watched.keys()];
  }

  /**
   * Closes every connection to which `connect` gave this `id`.
   * @returns how many it closed
   */
  disconnect(id: string): number {
    const named = this.#byId.of(id);
    for (const connection of named) connection.close(closeCodes.goingAway, "disconnected");
    return named.length;
  }

  /**
   * Closes connections that have been silent for too long, or have expired. It checks all connections from time to
   * time, instead of a timer for each; the count of received bytes is read from the socket, so that messages cost
   * nothing here.
   *
   * A late sweep, because the process stood still, closes none for silence or for an unfinished message: what was sent
   * meanwhile has not been read yet. The next one decides.
   *
   * @param everyMs how often it is called
   */
  sweep(everyMs: number): void {
    const now = Math.round(this.#clock.now());
    const systemTime = this.#clock.systemTime();
    const isLate = now - this.#sweptAt > everyMs * 1.5;
    this.#sweptAt = now;
    for (const [connection, watched] of this.#watched) {
      if (connection.bytesReceived !== watched.bytesReceived) {
        watched.bytesReceived = connection.bytesReceived;
        watched.heardAt = now;
      }
      const { expiresAt } = watched;
      if (expiresAt !== undefined && systemTime >= expiresAt) connection.close(closeCodes.goingAway, "expired");
      else if (isLate) continue;
      else if (now - watched.heardAt >= this.#options.idleTimeoutMs) {
        connection.close(closeCodes.protocolError, "nothing was received for too long");
      } else if (connection.partSince !== null && now - connection.partSince >= this.#options.messageTimeoutMs) {
        connection.close(closeCodes.policyViolation, "a message took too long to come");
      }
    }
  }
}
