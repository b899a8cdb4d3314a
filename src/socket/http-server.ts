import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { libraryError, toError } from "../core/errors.ts";
import { endWithStatus } from "./end-with-status.ts";
import { splitUrl } from "./handshake.ts";
import type { ResolvedSocketOptions } from "./socket-options.ts";
import type { WsServer } from "./ws-server.ts";

/** Where an own server listens. */
export interface ListenOptions {
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** 0 takes any free one. */
  readonly port: number;
}

/** Where clients find the gateway. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** What the official client's `new Socket(url)` takes. */
  readonly url: string;
}

/** What becomes of an own server. */
export interface HttpServerEvents {
  onListening(address: ListenAddress): void;
  /** With a GenApiError `listen_failed`, or whatever befalls a server that listens. */
  onError(error: Error): void;
}

/**
 * Opens a server of our own, which serves the socket and nothing else.
 * @returns how to close it: it stops listening at once, open WebSockets stay
 */
export function openHttpServer(
  { host = "127.0.0.1", port }: ListenOptions,
  options: ResolvedSocketOptions,
  ws: WsServer,
  { onListening, onError }: HttpServerEvents,
): () => void {
  const { upgradeTimeoutMs, path } = options;
  const listenFailed = (cause: NodeJS.ErrnoException) =>
    libraryError("listen_failed", `Cannot listen on ${host} port ${port}: ${cause.code ?? cause.message}`, { cause });
  const server = createServer(
    { headersTimeout: upgradeTimeoutMs, requestTimeout: upgradeTimeoutMs, connectionsCheckingInterval: 1_000 },
    plainAnswer(`${path}/websocket`),
  );
  server.on("upgrade", (request, socket, head) => {
    if (!ws.upgrade(request, socket as Socket, head)) endWithStatus(socket, 404);
  });
  server.on("error", (cause: NodeJS.ErrnoException) => {
    if (server.listening) onError(cause);
    else onError(listenFailed(cause));
  });
  try {
    server.listen(port, host, () => onListening(addressOfServer(server, path) as ListenAddress));
  } catch (error) {
    throw listenFailed(toError(error));
  }
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

/**
 * Takes the upgrade requests of the socket's path from a host's server, and nothing else.
 * @returns how to give them back
 */
export function mountOnServer(server: Server, ws: WsServer): () => void {
  const upgrade: Parameters<Server["on"]>[1] = (request, socket, head) =>
    void ws.upgrade(request, socket as Socket, head);
  server.on("upgrade", upgrade);
  return () => server.off("upgrade", upgrade);
}

/** Undefined while `server` does not listen, or on no port. */
export function addressOfServer(server: Server, path: string): ListenAddress | undefined {
  const bound = server.address() as AddressInfo | string | null;
  if (bound === null || typeof bound === "string") return undefined;
  const { address: host, port, family } = bound;
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return { host, port, url: `ws://${family === "IPv6" ? `[${reachable}]` : reachable}:${port}${path}` };
}

function plainAnswer(socketPath: string): RequestListener {
  return (request, response) => {
    const isSocket = splitUrl(request).path === socketPath;
    response.writeHead(isSocket ? 400 : 404, { "content-type": "text/plain" });
    response.end(isSocket ? "This is a WebSocket endpoint: a request must ask for an upgrade.\n" : "Not found\n");
  };
}
