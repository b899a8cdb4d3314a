import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { toError } from "../core/errors.ts";
import { guardSocket } from "../core/net/guard-socket.ts";
import { type ListenAddress, listenAddress } from "../core/net/listen-address.ts";
import { listenFailed } from "../core/net/listen-failed.ts";
import { refusePipelines } from "../core/net/pipelined-requests.ts";
import { readTarget } from "../core/net/request-target.ts";
import { takeUpgrades, type UpgradeTaker } from "../core/net/server-upgrades.ts";
import { WaitingSockets } from "../core/net/waiting-sockets.ts";
import type { Clock } from "../core/time/clock.ts";
import { reportDrops } from "../telemetry/dropped-sockets.ts";
import { type ResolvedSocketOptions, socketPath } from "./handshake/socket-options.ts";

export type { ListenAddress };

/** The address of a server of our own. */
export interface ListenOptions {
  /** The address to listen on. @default "127.0.0.1" */
  readonly host?: string;
  /** The port to listen on; 0 picks a free one. */
  readonly port: number;
}

/**
 * Answers a plain request of our own server, if it is responsible.
 * @returns false, and leaves the request alone, if it is not
 */
export type RequestTaker = (request: IncomingMessage, response: ServerResponse) => boolean;

// How often Node checks for requests that take too long.
const checkMs = 1_000;

/** What our own server serves. */
export interface HttpServerOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly listen: ListenOptions;
  readonly socket: ResolvedSocketOptions;
  readonly takers: readonly UpgradeTaker[];
  /** Answers plain requests. */
  readonly answer: RequestTaker;
}

/** Callbacks of our own server. */
export interface HttpServerListener {
  onListening(address: ListenAddress): void;
  /** Called with a GenApiError `listen_failed`, or with the error of a server that was listening. */
  onError(error: Error): void;
}

/**
 * Opens a server of our own, which serves sockets and the requests that `answer` takes.
 * @returns a function that closes it: it stops listening at once, open WebSockets stay
 */
export function openHttpServer(
  { gateway, clock, listen, socket: options, takers, answer }: HttpServerOptions,
  { onListening, onError }: HttpServerListener,
): () => void {
  const { host = "127.0.0.1", port } = listen;
  const { upgradeTimeoutMs, maxWaitingConnections, path } = options;
  const failed = (cause: NodeJS.ErrnoException) =>
    listenFailed({ by: "clients", where: `${host} port ${port}`, option: "listen" }, cause);
  const answerPlain = plainAnswer(socketPath(options), answer);
  const server = createServer(
    { headersTimeout: upgradeTimeoutMs, requestTimeout: upgradeTimeoutMs, connectionsCheckingInterval: checkMs },
    refusePipelines((request, response) => {
      // Limits clients that ask plain questions without reading the answers. A client that has not finished asking has
      // been answered 408 before. The server's own `timeout` would leave a timer, if a stopped one, at each WebSocket.
      request.socket.setTimeout(upgradeTimeoutMs + 2 * checkMs);
      answerPlain(request, response);
    }),
  );
  const waiting = new WaitingSockets(maxWaitingConnections, reportDrops(gateway, "clients", clock), clock);
  server.on("connection", (socket) => {
    guardSocket(socket);
    waiting.add(socket);
  });
  const giveBack = takeUpgrades(server, [waiting.upgrades, ...takers]);
  server.on("error", (cause: NodeJS.ErrnoException) => {
    if (server.listening) onError(cause);
    else onError(failed(cause));
  });
  try {
    server.listen(port, host, () => onListening(listenAddress(server, "ws", path) as ListenAddress));
  } catch (error) {
    throw failed(toError(error));
  }
  return () => {
    server.close();
    server.closeAllConnections();
    waiting.close();
    giveBack();
  };
}

function plainAnswer(webSocketPath: string, answer: RequestTaker): RequestListener {
  return (request, response) => {
    if (answer(request, response)) return;
    const isSocket = readTarget(request.url).path === webSocketPath;
    response.writeHead(isSocket ? 400 : 404, { "content-type": "text/plain" });
    response.end(isSocket ? "This is a WebSocket endpoint: a request must ask for an upgrade.\n" : "Not found\n");
  };
}
