import { createServer, type RequestListener, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { endWithStatus } from "../../core/end-with-status.ts";
import { libraryError, toError } from "../../core/errors.ts";
import { type ListenAddress, listenAddress } from "../../core/listen-address.ts";
import { Quota } from "../../core/quota.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import type { GatewayEndpoint, TransportScope } from "../transport.ts";
import { failureOf } from "./connection-failure.ts";
import type { ResolvedGatewayLink } from "./link-options.ts";

const refuseEvent = telemetryEvent("node.link.refuse");

/** A server for links alone. */
export interface LinkServer {
  /** Resolves when it listens; rejects with a GenApiError `listen_failed`, or `stopped` when it is closed before. */
  readonly ready: Promise<void>;
  /** Undefined while it does not listen. */
  readonly address: ListenAddress | undefined;
  /** It listens no more; open WebSockets stay. */
  close(): void;
}

// How long a socket may take to ask for an upgrade, TLS included.
const upgradeTimeoutMs = 10_000;

// Sockets beyond the links: those that are about to be let in or refused.
const spareSockets = 100;

// How many connections that failed are told in a minute: anybody can make as many as they like.
const maxToldFailures = 100;

/** Opens a server of the link's own. */
export function openLinkServer(
  { host, port, tls }: NonNullable<ResolvedGatewayLink["listen"]>,
  { path, maxConnections }: ResolvedGatewayLink,
  links: Required<Pick<GatewayEndpoint, "upgrade">>,
  scope: TransportScope,
): LinkServer {
  const protocol = tls === undefined ? "ws" : "wss";
  const limits: ServerOptions = {
    headersTimeout: upgradeTimeoutMs,
    requestTimeout: upgradeTimeoutMs,
    connectionsCheckingInterval: 1_000,
  };
  const server =
    tls === undefined
      ? createServer(limits, refuseRequest)
      : createTlsServer({ handshakeTimeout: upgradeTimeoutMs, ...tls, ...limits }, refuseRequest);
  let isClosed = false;
  server.maxConnections = maxConnections + spareSockets;
  // Sockets that have not asked for an upgrade: those that have not even spoken TLS the server itself does not know.
  const waiting = new Map<string, Socket>();
  server.on("connection", (socket: Socket) => {
    const place = placeOf(socket);
    waiting.set(place, socket);
    socket.once("close", () => waiting.get(place) === socket && waiting.delete(place));
  });
  server.on("upgrade", (request, socket, head) => {
    waiting.delete(placeOf(request.socket));
    if (!links.upgrade(request, socket, head)) endWithStatus(socket, 404);
  });
  const told = new Quota(maxToldFailures, 60_000, scope.clock);
  // Of failed TLS as well.
  server.on("clientError", (error, socket: Socket) => {
    const { address, status, reason } = failureOf(error, socket);
    if (status === null) socket.destroy();
    else endWithStatus(socket, status);
    if (isClosed || reason === null || !told.take()) return;
    refuseEvent.emit({ system_time: scope.clock.systemTime() }, { gateway: scope.name, address, status, reason });
  });
  const ready = new Promise<void>((resolve, reject) => {
    const listenFailed = (cause: NodeJS.ErrnoException) => {
      const message = `Cannot listen for service nodes on ${host} port ${port}: ${cause.code ?? cause.message}`;
      reject(libraryError("listen_failed", message, { cause }));
    };
    server.on("error", (cause) => {
      if (server.listening) scope.fail(cause);
      else listenFailed(cause);
    });
    server.once("close", () => reject(libraryError("stopped", "The link was closed before it listened")));
    try {
      server.listen(port, host, resolve);
    } catch (thrown) {
      listenFailed(toError(thrown));
    }
  });
  // Whether somebody waits for it or not.
  ready.catch((error) => {
    if (!isClosed) scope.fail(error);
  });
  return {
    ready,
    get address() {
      return listenAddress(server, protocol, path);
    },
    close() {
      isClosed = true;
      server.close();
      for (const socket of waiting.values()) socket.destroy();
    },
  };
}

/** The same for a socket and for the TLS on it. */
function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

const refuseRequest: RequestListener = (_request, response) => {
  response.writeHead(404, { "content-type": "text/plain", connection: "close" });
  response.end("Not found\n");
};
