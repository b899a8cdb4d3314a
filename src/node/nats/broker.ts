import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { libraryError, toError } from "../../core/errors.ts";
import { type Backoff, backoffMs } from "../../core/time/backoff.ts";
import type { Clock } from "../../core/time/clock.ts";
import { BrokerLink } from "./broker-link.ts";
import { importNatsPackages, type NatsPackages } from "./nats-packages.ts";
import { SocketTrace, startTracing, stopTracing } from "./socket-trace.ts";

/** The options and callbacks of a {@link Broker}. */
export interface BrokerOptions {
  readonly connection: ConnectionOptions;
  /** Whether every named server is on this machine. */
  readonly isLoopback: boolean;
  /** Without a `pushToken`, gateways and nodes talk only through a server that listens on this machine alone. */
  readonly hasToken: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  /** There is a connection to NATS. Everything opened on the link ends with the link. */
  connected(link: BrokerLink, packages: NatsPackages): void;
  /** The connection of the last `connected` is lost. */
  lost(reason: string): void;
  /** Something failed that will be retried, or that the server forbids. */
  troubled(error: Error): void;
  /** A permanent failure: a package is missing. */
  failed(error: unknown): void;
}

const backoff: Backoff = { firstMs: 100, maxMs: 2_000 };

// A server that is suspended rather than ended is noticed after two unanswered pings.
const pingIntervalMs = 3_000;
const connectTimeoutMs = 5_000;

// Time for messages in transit to leave when the transport closes.
const flushMs = 1_000;

/**
 * Keeps a connection to NATS: from the start, even if no server is there yet, and again whenever it is lost. Its user
 * starts afresh with each connection, so nothing depends on what was lost in between.
 */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #trace = new SocketTrace();
  #connection: NatsConnection | null = null;
  #link: BrokerLink | null = null;
  #isClosed = false;
  #attempts = 0;
  /** The server being dialed again, if any. */
  #dialed: string | null = null;
  #waitMs = 0;
  #wake: (() => void) | null = null;

  constructor(options: BrokerOptions) {
    this.#options = options;
    startTracing();
    // For as long as the client may dial, which continues for a while after a close.
    this.#run()
      .catch((error) => options.failed(error))
      .finally(stopTracing);
  }

  /** Ends the connection; published messages still leave, if they can within a second. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wake?.();
    const connection = this.#connection;
    const isConnected = this.#link !== null;
    this.#lose("the transport was closed");
    if (connection === null) this.#trace.close();
    else this.#end(connection, isConnected).catch((error) => this.#options.troubled(toError(error)));
  }

  async #run(): Promise<void> {
    const packages = await importNatsPackages();
    while (!this.#isClosed) {
      try {
        await this.#stayConnected(packages);
      } catch (error) {
        this.#trace.destroy();
        if (!this.#isClosed) this.#options.troubled(unreachable(toError(error)));
      }
      if (!this.#isClosed) await this.#pause();
    }
  }

  /** Resolves when the connection has ended for good; the client reconnects by itself before that. */
  async #stayConnected(packages: NatsPackages): Promise<void> {
    const connection = await this.#trace.run(() =>
      packages.transport.connect({
        ...this.#options.connection,
        reconnect: true,
        maxReconnectAttempts: -1,
        ignoreAuthErrorAbort: true,
        waitOnFirstConnect: false,
        timeout: connectTimeoutMs,
        pingInterval: pingIntervalMs,
        noAsyncTraces: true,
        reconnectDelayHandler: () => this.#waitMs,
      }),
    );
    if (this.#isClosed) return connection.close();
    this.#connection = connection;
    this.#begin(connection, packages);
    try {
      for await (const status of connection.status()) {
        if (status.type === "disconnect") this.#disconnected(status.server);
        else if (status.type === "close") this.#lose("the connection to NATS was lost");
        else if (status.type === "reconnecting") this.#reconnecting(connection.getServer());
        else if (status.type === "reconnect") this.#begin(connection, packages);
        else if (status.type === "error") this.#options.troubled(status.error);
      }
      const error = await connection.closed();
      if (error instanceof Error) throw error;
    } finally {
      this.#connection = null;
      this.#lose("the connection to NATS was closed");
      await connection.close();
    }
  }

  #begin(connection: NatsConnection, packages: NatsPackages): void {
    if (this.#isClosed) return;
    this.#attempts = 0;
    this.#dialed = null;
    this.#lose("connected anew");
    const { isLoopback, hasToken, connected, troubled, failed } = this.#options;
    const link = new BrokerLink(connection, isLoopback, failed);
    this.#link = link;
    if (!hasToken && !link.isLoopback) troubled(needsToken(connection));
    connected(link, packages);
  }

  #disconnected(server: string): void {
    this.#lose("the connection to NATS was lost");
    if (!this.#isClosed)
      this.#options.troubled(libraryError("unavailable", `Lost the connection to NATS at ${server}`));
  }

  /** The client now dials this server. It reports nothing else about failing to reach the one before. */
  #reconnecting(server: string): void {
    const failed = this.#dialed;
    this.#dialed = server;
    this.#waitMs = this.#nextWaitMs();
    if (failed === null || this.#isClosed) return;
    this.#options.troubled(libraryError("unavailable", `No connection to NATS at ${failed}`));
  }

  #lose(reason: string): void {
    if (this.#link === null) return;
    this.#link.end();
    this.#link = null;
    this.#options.lost(reason);
  }

  async #end(connection: NatsConnection, isConnected: boolean): Promise<void> {
    if (isConnected) await this.#flushed(connection);
    await connection.close();
    this.#trace.close();
  }

  #flushed(connection: NatsConnection): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(resolve, flushMs);
      const done = () => {
        clock.clearTimeout(timer);
        resolve();
      };
      // A connection lost meanwhile has nothing left to report.
      connection.flush().then(done, done);
    });
  }

  #pause(): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(resolve, this.#nextWaitMs());
      this.#wake = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
  }

  #nextWaitMs(): number {
    this.#attempts += 1;
    return backoffMs(backoff, Math.min(this.#attempts, 30), this.#options.random());
  }
}

function needsToken({ info }: NatsConnection): Error {
  const where = `The NATS server listens at ${info?.host}, beyond this machine`;
  return libraryError("unauthenticated", `${where}: without a pushToken gateways and nodes do not speak over it`);
}

/** The client's error does not name the address that refused a connection, but its cause does. */
function unreachable(error: Error): Error {
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return libraryError("unavailable", `No connection to NATS: ${error.message}${cause}`, { cause: error });
}
