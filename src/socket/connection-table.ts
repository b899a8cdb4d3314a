import type { Clock } from "../core/clock.ts";
import { closeCodes } from "../protocol/events.ts";
import type { Connection } from "./connection.ts";
import type { ResolvedSocketOptions } from "./socket-options.ts";

interface Watched {
  /** Bytes received at the last sweep that saw new ones, and when that was. */
  bytesReceived: number;
  heardAt: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * All sockets of a gateway: how many there are, which are idle or expired. It is read and changed directly and
 * outlives the listener, so that a restart of that costs no open connection its limits and timeouts.
 */
export class ConnectionTable {
  readonly #clock: Clock;
  readonly #options: ResolvedSocketOptions;
  readonly #watched = new Map<Connection, Watched>();
  readonly #perAddress = new Map<string, number>();
  #sockets = 0;
  #lastId = 0;

  constructor(clock: Clock, options: ResolvedSocketOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Open connections. */
  get size(): number {
    return this.#watched.size;
  }

  /** How many there have been. */
  get opened(): number {
    return this.#lastId;
  }

  /** A name for a new connection, unique in this gateway. */
  nextId(): string {
    this.#lastId += 1;
    return `connection_${this.#lastId}`;
  }

  /** Counts a socket that wants to connect. @returns undefined, or the HTTP status of its refusal */
  admit(address: string): 429 | 503 | undefined {
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (this.#sockets >= this.#options.maxConnections) return 503;
    if (ofAddress >= this.#options.maxConnectionsPerAddress) return 429;
    this.#sockets += 1;
    this.#perAddress.set(address, ofAddress + 1);
    return undefined;
  }

  /** Counts an admitted socket off. */
  release(address: string): void {
    const ofAddress = this.#perAddress.get(address) ?? 0;
    this.#sockets -= 1;
    if (ofAddress > 1) this.#perAddress.set(address, ofAddress - 1);
    else this.#perAddress.delete(address);
  }

  add(connection: Connection): void {
    const { expiresAt } = connection.socket.assigns;
    this.#watched.set(connection, {
      bytesReceived: connection.bytesReceived,
      heardAt: this.#clock.now(),
      expiresAt: expiresAt === undefined || expiresAt === null ? Number.POSITIVE_INFINITY : Number(expiresAt),
    });
  }

  delete(connection: Connection): void {
    this.#watched.delete(connection);
  }

  /** Closes every connection whose `connect` gave it this `id`. @returns how many */
  disconnect(id: string): number {
    const named = [...this.#watched.keys()].filter((connection) => connection.socket.assigns.id === id);
    for (const connection of named) connection.close(closeCodes.goingAway, "disconnected");
    return named.length;
  }

  /**
   * Closes what has been silent for too long, or has expired. One look at all connections now and then, instead of a
   * timer for each; what was received is read off the socket, so that a message costs nothing here.
   */
  sweep(): void {
    const now = this.#clock.now();
    const systemTime = this.#clock.systemTime();
    for (const [connection, watched] of this.#watched) {
      if (connection.bytesReceived !== watched.bytesReceived) {
        watched.bytesReceived = connection.bytesReceived;
        watched.heardAt = now;
      }
      if (systemTime >= watched.expiresAt) connection.close(closeCodes.goingAway, "expired");
      else if (now - watched.heardAt >= this.#options.idleTimeoutMs) {
        connection.close(closeCodes.protocolError, "nothing was received for too long");
      }
    }
  }
}
