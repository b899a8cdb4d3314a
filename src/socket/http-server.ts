import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { endWithStatus } from "../core/end-with-status.ts";
import { libraryError, toError } from "../core/errors.ts";
import { type ListenAddress, listenAddress } from "../core/listen-address.ts";
import { splitUrl } from "./handshake.ts";
import type { ResolvedSocketOptions } from "./socket-options.ts";

export type { ListenAddress };

/** Where an own server listens. */
export interface ListenOptions {
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** 0 takes any free one. */
  readonly port: number;
}

/** Something that upgrade requests of a server may be for. */
export interface UpgradeTaker {
  /** @returns false when the request is not for it; it has left the socket alone then */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean;
}

/** Answers a plain request of an own server, if it is for it. @returns false where it is not; it has left it alone then */
export type RequestTaker = (request: IncomingMessage, response: ServerResponse) => boolean;

/** What becomes of an own server. */
export interface HttpServerEvents {
  onListening(address: ListenAddress): void;
  /** With a GenApiError `listen_failed`, or whatever befalls a server that listens. */
  onError(error: Error): void;
}

/**
 * Opens a server of our own, which serves sockets, and what `answer` takes.
 * @returns how to close it: it stops listening at once, open WebSockets stay
 */
export function openHttpServer(
  { host = "127.0.0.1", port }: ListenOptions,
  options: ResolvedSocketOptions,
  takers: readonly UpgradeTaker[],
  answer: RequestTaker,
  { onListening, onError }: HttpServerEvents,
): () => void {
  const { upgradeTimeoutMs, path } = options;
  const listenFailed = (cause: NodeJS.ErrnoException) =>
    libraryError("listen_failed", `Cannot listen on ${host} port ${port}: ${cause.code ?? cause.message}`, { cause });
  const server = createServer(
    { headersTimeout: upgradeTimeoutMs, requestTimeout: upgradeTimeoutMs, connectionsCheckingInterval: 1_000 },
    plainAnswer(`${path}/websocket`, answer),
  );
  server.on("upgrade", (request, socket, head) => {
    if (!takers.some((taker) => taker.upgrade(request, socket as Socket, head))) endWithStatus(socket, 404);
  });
  server.on("error", (cause: NodeJS.ErrnoException) => {
    if (server.listening) onError(cause);
    else onError(listenFailed(cause));
  });
  try {
    server.listen(port, host, () => onListening(listenAddress(server, "ws", path) as ListenAddress));
  } catch (error) {
    throw listenFailed(toError(error));
  }
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

/**
 * Takes the upgrade requests that are for one of `takers` from a host's server, and nothing else.
 * @returns how to give them back
 */
export function mountOnServer(server: Server, takers: readonly UpgradeTaker[]): () => void {
  const upgrade: Parameters<Server["on"]>[1] = (request, socket, head) =>
    void takers.some((taker) => taker.upgrade(request, socket as Socket, head));
  server.on("upgrade", upgrade);
  return () => server.off("upgrade", upgrade);
}

function plainAnswer(socketPath: string, answer: RequestTaker): RequestListener {
  return (request, response) => {
    if (answer(request, response)) return;
    const isSocket = splitUrl(request).path === socketPath;
    response.writeHead(isSocket ? 400 : 404, { "content-type": "text/plain" });
    response.end(isSocket ? "This is a WebSocket endpoint: a request must ask for an upgrade.\n" : "Not found\n");
  };
}
