import type { Server } from "node:http";
import { Server as TlsServer } from "node:tls";
import type { EventObject } from "xstate";
import { fromResource, type ResourceLogic } from "../actor/resource.ts";
import { type SupervisorRef, startChild } from "../actor/supervisor-requests.ts";
import { listenAddress } from "../core/listen-address.ts";
import { closeCodes } from "../protocol/events.ts";
import { clientAddressRule } from "./client-address.ts";
import { connectionActor } from "./connection.actor.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionTable } from "./connection-table.ts";
import {
  type ListenAddress,
  type ListenOptions,
  mountOnServer,
  openHttpServer,
  type RequestTaker,
  type UpgradeTaker,
} from "./http-server.ts";
import { originRule } from "./origin.ts";
import type { SocketContext } from "./socket-context.ts";
import { createWsServer, type WsServer } from "./ws-server.ts";

/** What a listener needs. */
export interface ListenerOptions {
  readonly context: SocketContext;
  readonly table: ConnectionTable;
  /** A port of our own, or a host's server: of that it takes the socket's path alone, and never closes it. */
  readonly on: ListenOptions | Server;
  /** What else takes upgrade requests of the same server. @default nothing */
  readonly others?: readonly UpgradeTaker[];
  /** What takes plain requests of a port of our own. @default nothing */
  readonly answer?: RequestTaker;
  /** The name of the dynamic supervisor whose children the connections become. */
  readonly connections: string;
}

/** A listener that a supervisor can start, and start again. */
export interface Listener {
  readonly logic: ResourceLogic<undefined, EventObject>;
  /** Resolves when it first listens; rejects with a GenApiError `listen_failed`. A host's server is not waited for. */
  readonly ready: Promise<void>;
  /** Undefined while the server does not listen, or on no port. */
  readonly address: ListenAddress | undefined;
}

// How often idle and expired connections are looked for.
const sweepMs = 1_000;

/**
 * Makes the actor that lets clients in. Restarted after a crash it listens on the port that it had before; open
 * connections do not notice.
 *
 * @throws GenApiError `invalid_option` for allowed origins that cannot be
 */
export function createListener({
  context,
  table,
  on,
  others = [],
  answer = () => false,
  connections,
}: ListenerOptions): Listener {
  const { clock, options } = context;
  const isOriginAllowed = originRule(options.allowedOrigins);
  const clientAddress = clientAddressRule(options.trustProxy);
  let bound: ListenAddress | undefined;
  let onReady: () => void;
  let onFailed: (error: Error) => void;
  const ready = new Promise<void>((resolve, reject) => {
    onReady = resolve;
    onFailed = reject;
  });

  function openServer(ws: WsServer, fail: (error: Error) => void): () => void {
    if (isServer(on)) {
      onReady();
      return mountOnServer(on, [ws, ...others]);
    }
    return openHttpServer({ ...on, port: bound?.port ?? on.port }, options, [ws, ...others], answer, {
      onListening(address) {
        bound = address;
        onReady();
      },
      onError(error) {
        onFailed(error);
        fail(error);
      },
    });
  }

  const logic = fromResource(({ whereis, fail }) => {
    const onOpen = (connection: Connection) => {
      const spec = { id: connection.id, logic: connectionActor, input: connection, restart: "temporary" } as const;
      startChild(whereis<SupervisorRef>(connections), spec).catch(() =>
        connection.close(closeCodes.tryAgainLater, "the gateway takes no connections now"),
      );
    };
    const ws = createWsServer({ context, table, isOriginAllowed, clientAddress, onOpen });
    const closeServer = openServer(ws, fail);
    let timer = clock.setTimeout(sweep, sweepMs);
    function sweep(): void {
      table.sweep();
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
    get address() {
      return isServer(on) ? listenAddress(on, on instanceof TlsServer ? "wss" : "ws", options.path) : bound;
    },
  };
}

const isServer = (on: ListenOptions | Server): on is Server => "listen" in on;
