import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import type { EventObject } from "xstate";
import { fromResource, type ResourceLogic } from "../actor/resource.ts";
import { type SupervisorRef, startChild } from "../actor/supervisor/supervisor-requests.ts";
import { listenAddress } from "../core/net/listen-address.ts";
import { offerUpgrade, takeUpgrades, type UpgradeTaker } from "../core/net/server-upgrades.ts";
import { closeCodes } from "../protocol/channel-events.ts";
import type { SocketContext } from "./channels/socket-context.ts";
import { connectionActor } from "./connection.actor.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionTable } from "./connection-table.ts";
import { clientAddressRule } from "./handshake/client-address.ts";
import { originRule } from "./handshake/origin.ts";
import { type ListenAddress, type ListenOptions, openHttpServer, type RequestTaker } from "./http-server.ts";
import { createWsServer } from "./ws-server.ts";

/** The options of a listener. */
export interface ListenerOptions {
  readonly context: SocketContext;
  readonly table: ConnectionTable;
  /**
   * A port of our own, or a host's server, on which it serves only the socket's path and which it never closes. Null:
   * the host program passes it upgrade requests.
   */
  readonly on: ListenOptions | Server | null;
  /** Further recipients of upgrade requests. @default none */
  readonly others?: readonly UpgradeTaker[];
  /** Answers plain requests on a port of our own. @default none */
  readonly answer?: RequestTaker;
  /** The name of the dynamic supervisor that becomes the parent of the connections. */
  readonly connections: string;
}

/** A listener that a supervisor can start and restart. */
export interface Listener {
  readonly logic: ResourceLogic<undefined, EventObject>;
  /**
   * Resolves when it first admits clients; rejects with a GenApiError `listen_failed`. A host's server is not waited
   * for.
   */
  readonly ready: Promise<void>;
  /** Undefined while the server does not listen, or does not listen on a port. */
  readonly address: ListenAddress | undefined;
  /** Offers it an upgrade request, as {@link offerUpgrade}. After its end clients are answered 503. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean;
  /**
   * Admits no further clients: a port of our own closes, on a host's server upgrades are answered 503. Idle and expired
   * connections are still checked.
   */
  drain(): void;
}

// How often idle and expired connections are checked.
const sweepMs = 1_000;

/**
 * Creates the actor that admits clients. After a crash it listens on the same port again; open connections are not
 * affected.
 *
 * @throws GenApiError `invalid_option` for invalid allowed origins
 */
export function createListener({
  context,
  table,
  on,
  others = [],
  answer = () => false,
  connections,
}: ListenerOptions): Listener {
  const { gateway, clock, options } = context;
  const isOriginAllowed = originRule(options.allowedOrigins);
  const clientAddress = clientAddressRule(options.trustProxy);
  let bound: ListenAddress | undefined;
  let isDraining = false;
  /** Those of the current or last server. */
  let takers: readonly UpgradeTaker[] = [];
  let takeNoMore = (): void => undefined;
  let onReady: () => void;
  let onFailed: (error: Error) => void;
  const ready = new Promise<void>((resolve, reject) => {
    onReady = resolve;
    onFailed = reject;
  });

  function openServer(fail: (error: Error) => void): () => void {
    if (on === null || isServer(on)) {
      onReady();
      return on === null ? () => undefined : takeUpgrades(on, takers);
    }
    const listen = { ...on, port: bound?.port ?? on.port };
    return openHttpServer(
      { gateway, clock, listen, socket: options, takers, answer },
      {
        onListening(address) {
          bound = address;
          onReady();
        },
        onError(error) {
          onFailed(error);
          // Whoever starts the gateway hears of a first failure, and stops the rest: no other try would end otherwise.
          if (bound !== undefined) fail(error);
        },
      },
    );
  }

  const logic = fromResource(({ whereis, fail }) => {
    const onOpen = (connection: Connection) => {
      const spec = { id: connection.id, logic: connectionActor, input: connection, restart: "temporary" } as const;
      startChild(whereis<SupervisorRef>(connections), spec).catch(() =>
        connection.close(closeCodes.tryAgainLater, "the gateway takes no connections now"),
      );
    };
    const ws = createWsServer({ context, table, isOriginAllowed, clientAddress, onOpen });
    takers = [ws, ...others];
    const closeServer = openServer(fail);
    takeNoMore = () => {
      ws.close();
      if (on !== null && !isServer(on)) closeServer();
    };
    if (isDraining) takeNoMore();
    let timer = clock.setTimeout(sweep, sweepMs);
    function sweep(): void {
      table.sweep(sweepMs);
      timer = clock.setTimeout(sweep, sweepMs);
    }
    return {
      close() {
        clock.clearTimeout(timer);
        closeServer();
        ws.close();
      },
      formatStatus: () => ({ url: bound?.url ?? null, connections: table.size }),
    };
  });

  return {
    logic,
    ready,
    upgrade: (request, socket, head) => offerUpgrade(takers, request, socket, head),
    drain() {
      isDraining = true;
      takeNoMore();
    },
    get address() {
      return on !== null && isServer(on)
        ? listenAddress(on, on instanceof TlsServer ? "wss" : "ws", options.path)
        : bound;
    },
  };
}

const isServer = (on: ListenOptions | Server): on is Server => "listen" in on;
