import { createServer, type RequestListener, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { libraryError, toError } from "../../core/errors.ts";
import { endWithStatus } from "../../core/net/end-with-status.ts";
import { guardSocket } from "../../core/net/guard-socket.ts";
import { type ListenAddress, listenAddress } from "../../core/net/listen-address.ts";
import { listenFailed } from "../../core/net/listen-failed.ts";
import { refusePipelines } from "../../core/net/pipelined-requests.ts";
import { takeUpgrades } from "../../core/net/server-upgrades.ts";
import { WaitingSockets } from "../../core/net/waiting-sockets.ts";
import { Quota } from "../../core/time/quota.ts";
import { reportDrops } from "../../telemetry/dropped-sockets.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import type { GatewayEndpoint, TransportScope } from "../node-transport.ts";
import { connectionFailure } from "./connection-failure.ts";
import type { ResolvedGatewayLink } from "./link-options.ts";

const refuseEvent = telemetryEvent("node.link.refuse");

/** A server only for links. */
export interface LinkServer {
  /** Resolves when it listens; rejects with a GenApiError `listen_failed`, or `stopped` if it is closed first. */
  readonly ready: Promise<void>;
  /** Undefined while it does not listen. */
  readonly address: ListenAddress | undefined;
  /** Stops listening; open WebSockets stay. */
  close(): void;
}

// Time limit for a socket to ask for an upgrade, including TLS.
const upgradeTimeoutMs = 10_000;

// How often Node checks for requests that take too long.
const checkMs = 1_000;

// The most sockets that have not asked for an upgrade yet.
const maxWaiting = 128;

// The most failed connections reported per minute: clients can cause any number.
const maxToldFailures = 100;

/** Opens a server only for links. */
export function openLinkServer(
  { host, port, tls }: NonNullable<ResolvedGatewayLink["listen"]>,
  { path }: ResolvedGatewayLink,
  links: Required<Pick<GatewayEndpoint, "upgrade">>,
  scope: TransportScope,
): LinkServer {
  const protocol = tls === undefined ? "ws" : "wss";
  const limits: ServerOptions = {
    headersTimeout: upgradeTimeoutMs,
    requestTimeout: upgradeTimeoutMs,
    connectionsCheckingInterval: checkMs,
  };
  const server =
    tls === undefined
      ? createServer(limits, refuseRequest)
      : createTlsServer({ handshakeTimeout: upgradeTimeoutMs, ...tls, ...limits }, refuseRequest);
  let isClosed = false;
  // For clients that do not read their answer.
  server.timeout = upgradeTimeoutMs + 2 * checkMs;
  // Includes sockets before their TLS handshake, which the server itself does not know.
  const waiting = new WaitingSockets(maxWaiting, reportDrops(scope.name, "nodes", scope.clock), scope.clock);
  server.on("connection", (socket: Socket) => {
    guardSocket(socket);
    waiting.add(socket);
  });
  server.on("secureConnection", guardSocket);
  const giveBack = takeUpgrades(server, [waiting.upgrades, links]);
  const told = new Quota(maxToldFailures, 60_000, scope.clock);
  // Also for failed TLS.
  server.on("clientError", (error, socket: Socket) => {
    const { address, status, reason } = connectionFailure(error, socket);
    if (status === null) socket.destroy();
    else endWithStatus(socket, status);
    if (isClosed || reason === null || !told.take()) return;
    refuseEvent.emit({ system_time: scope.clock.systemTime() }, { gateway: scope.name, address, status, reason });
  });
  const ready = new Promise<void>((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) =>
      reject(listenFailed({ by: "service nodes", where: `${host} port ${port}`, option: "cluster.listen" }, cause));
    server.on("error", (cause) => {
      if (server.listening) scope.fail(cause);
      else failed(cause);
    });
    server.once("close", () => reject(libraryError("stopped", "The link was closed before it listened")));
    try {
      server.listen(port, host, resolve);
    } catch (thrown) {
      failed(toError(thrown));
    }
  });
  // Handled even if no caller waits for it.
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
      waiting.close();
      giveBack();
    },
  };
}

const refuseRequest: RequestListener = refusePipelines((_request, response) => {
  response.writeHead(404, { "content-type": "text/plain", connection: "close" });
  response.end("Not found\n");
});
