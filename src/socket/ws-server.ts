import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { endWithStatus } from "../core/end-with-status.ts";
import { toError } from "../core/errors.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { Assigns } from "./assigns.ts";
import { authenticate } from "./authenticate.ts";
import type { ClientAddress } from "./client-address.ts";
import { Connection } from "./connection.ts";
import type { ConnectionTable } from "./connection-table.ts";
import { type Greeting, type Refusal, readHandshake, splitUrl, traceOf } from "./handshake.ts";
import { filterSecrets } from "./log-filter.ts";
import type { OriginRule } from "./origin.ts";
import type { SocketContext } from "./socket-context.ts";
import type { Transport } from "./transport.ts";

const openEvent = telemetryEvent("connection.open");
const closeEvent = telemetryEvent("connection.close");
const refuseEvent = telemetryEvent("connection.refuse");

// After how many messages of one client the others have their turn. Node would read two megabytes at once otherwise.
const messagesPerTurn = 100;

/** Turns upgrade requests into connections. */
export interface WsServer {
  /** Takes an upgrade request. @returns false when its path is not ours: then it was not touched */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean;
  /** Takes no more, and refuses those that are not open yet; those that are stay. */
  close(): void;
}

/** What a {@link WsServer} needs. */
export interface WsServerOptions {
  readonly context: SocketContext;
  readonly table: ConnectionTable;
  readonly isOriginAllowed: OriginRule;
  readonly clientAddress: ClientAddress;
  /** Given each connection before its first frame is read. */
  readonly onOpen: (connection: Connection) => void;
}

/** Makes the one thing that speaks WebSocket. */
export function createWsServer({ context, table, isOriginAllowed, clientAddress, onOpen }: WsServerOptions): WsServer {
  const { options, clock, gateway } = context;
  const addressOf = ({ socket, headers }: IncomingMessage) =>
    clientAddress(socket.remoteAddress ?? "", headers["x-forwarded-for"]?.toString());
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: options.maxFrameBytes,
    maxFragments: options.maxFragments,
    maxBufferedChunks: options.maxBufferedChunks,
    closeTimeout: options.closeTimeoutMs,
  } as ConstructorParameters<typeof WebSocketServer>[0]);

  /** One for each client whose `connect` is under way; aborted with its refusal. */
  const connecting = new Set<AbortController>();

  function refuse(request: IncomingMessage, socket: Socket, { status, reason, error }: Refusal): void {
    refuseEvent.emit(
      { system_time: clock.systemTime() },
      { gateway, ip_address: addressOf(request), status, reason, error: error ?? null },
    );
    endWithStatus(socket, status);
  }

  async function welcome(greeting: Greeting, request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const { params, authToken } = greeting;
    const controller = new AbortController();
    connecting.add(controller);
    const gone = () => controller.abort({ status: 503, reason: "the client has gone" } satisfies Refusal);
    socket.once("close", gone);
    const answer = await authenticate(
      { params, authToken, request },
      options,
      { name: gateway, clock },
      controller.signal,
    );
    connecting.delete(controller);
    // Left there it would keep the request alive as long as the socket.
    socket.off("close", gone);
    if ("status" in answer) refuse(request, socket, answer);
    else server.handleUpgrade(request, socket, head, (ws) => open(ws, socket, request, greeting, answer.assigns));
  }

  function open(ws: WebSocket, socket: Socket, request: IncomingMessage, greeting: Greeting, assigns: Assigns): void {
    const { serializer, params } = greeting;
    const id = table.nextId();
    const ipAddress = addressOf(request);
    const openedAt = clock.now();
    const connection = new Connection(context, new WsTransport(ws, socket), {
      socket: { id, assigns, ipAddress },
      serializer,
      trace: traceOf(request),
      inFlight: { count: 0, max: options.maxRequestsInFlight },
    });
    let failure = "";
    let received = 0;
    ws.on("message", (data, isBinary) => {
      connection.receive(data as Buffer, isBinary);
      received += 1;
      if (received % messagesPerTurn === 0) pauseForOneTurn(ws);
    });
    // The library closes the socket by itself then; "close" follows.
    ws.on("error", (error) => {
      failure = error.message;
    });
    ws.on("close", (code, reason) => {
      table.delete(connection);
      const closing = connection.closing ?? { code, reason: failure || reason.toString() };
      connection.closed();
      closeEvent.emit(
        { duration_us: Math.round((clock.now() - openedAt) * 1_000) },
        { gateway, connection: id, ...closing },
      );
    });
    table.add(connection);
    if (openEvent.active) {
      openEvent.emit(
        { system_time: clock.systemTime() },
        { gateway, connection: id, ip_address: ipAddress, vsn: serializer.vsn, params: filterSecrets(params) },
      );
    }
    onOpen(connection);
  }

  return {
    upgrade(request, socket, head) {
      if (splitUrl(request).path !== `${options.path}/websocket`) return false;
      socket.on("error", () => socket.destroy());
      const greeting = readHandshake(request, isOriginAllowed);
      if ("status" in greeting) {
        refuse(request, socket, greeting);
        return true;
      }
      const address = addressOf(request);
      const status = table.admit(address);
      if (status !== undefined) {
        refuse(request, socket, { status, reason: "too many connections" });
        return true;
      }
      socket.once("close", () => table.release(address));
      welcome(greeting, request, socket, head).catch((error) => {
        refuse(request, socket, { status: 500, reason: "the upgrade failed", error: toError(error) });
        socket.destroy();
      });
      return true;
    },
    close() {
      server.close();
      const refusal: Refusal = { status: 503, reason: "the listener stops" };
      for (const controller of connecting) controller.abort(refusal);
    },
  };
}

/** Whoever sends without end: the other sockets are read before it is read on. */
function pauseForOneTurn(ws: WebSocket): void {
  ws.pause();
  setImmediate(() => ws.resume());
}

class WsTransport implements Transport {
  readonly socket: Socket;
  readonly #ws: WebSocket;

  constructor(ws: WebSocket, socket: Socket) {
    this.#ws = ws;
    this.socket = socket;
  }

  get isOpen(): boolean {
    return this.#ws.readyState === WebSocket.OPEN;
  }

  get bytesReceived(): number {
    return this.socket.bytesRead;
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }
}
