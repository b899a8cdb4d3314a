import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { InFlight } from "../call/request/running-calls.ts";
import { libraryError, toError } from "../core/errors.ts";
import { shareOf } from "../core/fair/share.ts";
import { endSoon, endWithStatus } from "../core/net/end-with-status.ts";
import { networkOf } from "../core/net/ip-address.ts";
import { readTarget } from "../core/net/request-target.ts";
import type { UpgradeTaker } from "../core/net/server-upgrades.ts";
import { isInUse, usedByOther } from "../core/net/shared-socket.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { SocketContext } from "./channels/socket-context.ts";
import { ClientSocket } from "./client-socket.ts";
import { Connection } from "./connection.ts";
import type { ConnectionTable } from "./connection-table.ts";
import type { Assigns } from "./handshake/assigns.ts";
import { authenticate } from "./handshake/authenticate.ts";
import type { ClientAddress } from "./handshake/client-address.ts";
import { filterSecrets } from "./handshake/log-filter.ts";
import type { OriginRule } from "./handshake/origin.ts";
import { PendingUpgrade } from "./handshake/pending-upgrade.ts";
import {
  type ConnectRefusal,
  type Greeting,
  readHandshake,
  retryLaterMs,
  traceOf,
} from "./handshake/read-handshake.ts";
import { socketPath } from "./handshake/socket-options.ts";
import { Inbound } from "./inbound/inbound.ts";

const openEvent = telemetryEvent("connection.open");
const closeEvent = telemetryEvent("connection.close");
const refuseEvent = telemetryEvent("connection.refuse");

/** Other gateways are there, or this one will be back soon. */
const listenerStops: ConnectRefusal = {
  status: 503,
  reason: "the listener stops",
  error: libraryError("stopped", "The gateway stops"),
  retryAfterMs: 1_000,
};

/** The actual answer to the client is not known here. */
const answeredByOther: ConnectRefusal = { status: 500, reason: usedByOther };

/** Turns upgrade requests into connections. */
export interface WsServer extends UpgradeTaker {
  /** From now on answers new and pending requests with 503; open connections stay. */
  close(): void;
}

/** The options of a {@link WsServer}. */
export interface WsServerOptions {
  readonly context: SocketContext;
  readonly table: ConnectionTable;
  readonly isOriginAllowed: OriginRule;
  readonly clientAddress: ClientAddress;
  /** Called for each connection before its first frame is read. */
  readonly onOpen: (connection: Connection) => void;
}

/** Creates the WebSocket server. */
export function createWsServer({ context, table, isOriginAllowed, clientAddress, onOpen }: WsServerOptions): WsServer {
  const { options, clock, gateway } = context;
  const path = socketPath(options);
  const addressOf = ({ socket, headers }: IncomingMessage) =>
    clientAddress(socket.remoteAddress ?? "", headers["x-forwarded-for"]?.toString());
  const server = new WebSocketServer({
    WebSocket: ClientSocket,
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: options.maxFrameBytes,
    maxFragments: options.maxFragments,
    maxBufferedChunks: options.maxBufferedChunks,
    closeTimeout: options.closeTimeoutMs,
    autoPong: false,
  } as ServerOptions<typeof ClientSocket>);

  /** Clients whose `connect` is pending. */
  const pending = new Set<PendingUpgrade>();
  let isClosed = false;

  function reportRefusal(ipAddress: string, { status, reason, error }: ConnectRefusal): void {
    refuseEvent.emit(
      { system_time: clock.systemTime() },
      { gateway, ip_address: ipAddress, status, reason, error: error ?? null },
    );
  }

  function refuse(request: IncomingMessage, socket: Socket, refusal: ConnectRefusal): void {
    reportRefusal(addressOf(request), refusal);
    endWithStatus(socket, refusal.status, refusal.retryAfterMs);
  }

  async function welcome(greeting: Greeting, request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    socket.on("close", givePlaceBack);
    const upgrade = new PendingUpgrade(socket, head);
    pending.add(upgrade);
    const { params, authToken } = greeting;
    const answer = await authenticate({ params, authToken, request }, options, { name: gateway, clock }, upgrade);
    pending.delete(upgrade);
    const isUsedByOther = upgrade.isUsedByOther();
    const early = upgrade.release();
    if (isUsedByOther) {
      table.release(socket);
      reportRefusal(addressOf(request), answeredByOther);
      socket.resume();
      return;
    }
    if ("status" in answer) {
      table.release(socket);
      refuse(request, socket, answer);
      return;
    }
    let isOpen = false;
    server.handleUpgrade(request, socket, early, (ws) => {
      isOpen = true;
      open(ws, socket, request, greeting, answer.assigns);
      // Its listeners are attached now.
      socket.resume();
    });
    // The library itself has answered a request that was not for a WebSocket.
    if (!isOpen) endSoon(socket);
  }

  function open(
    ws: ClientSocket,
    socket: Socket,
    request: IncomingMessage,
    greeting: Greeting,
    assigns: Assigns,
  ): void {
    const { serializer, params } = greeting;
    const id = table.nextId();
    const ipAddress = addressOf(request);
    const openedAt = clock.now();
    ws.openedAt = openedAt;
    const share = shareOf(assigns.userId, ipAddress === null ? null : networkOf(ipAddress), id);
    const frames = context.spentBudgets.open(share.identity, openedAt);
    ws.attach(socket, new Inbound(ws, share.identity, context.turns, frames, clock));
    const { maxRequestsInFlight, maxStreamsInFlight, maxRequestBytesInFlight } = options;
    const inFlight = new InFlight(
      maxRequestsInFlight,
      maxStreamsInFlight,
      maxRequestBytesInFlight,
      context.requestBudget,
    );
    const connection = new Connection(context, ws, {
      socket: { id, assigns, ipAddress },
      serializer,
      trace: traceOf(request),
      share,
      inFlight,
      frames,
    });
    ws.open(connection);
    ws.on("close", onClose);
    table.add(connection);
    if (openEvent.active) {
      openEvent.emit(
        { system_time: clock.systemTime() },
        { gateway, connection: id, ip_address: ipAddress, vsn: serializer.vsn, params: filterSecrets(params) },
      );
    }
    onOpen(connection);
  }

  function onClose(this: WebSocket, code: number, reason: Buffer): void {
    const { connection, openedAt, failure } = this as ClientSocket;
    table.delete(connection);
    if (failure === usedByOther) reportRefusal(connection.socket.ipAddress ?? "", answeredByOther);
    const closing = connection.closing ?? { code, reason: failure || reason.toString() };
    (this as ClientSocket).closed();
    closeEvent.emit(
      { duration_us: Math.round((clock.now() - openedAt) * 1_000) },
      { gateway, connection: connection.id, ...closing },
    );
  }

  // One for all: a closure each would live as long as its socket.
  function givePlaceBack(this: Socket): void {
    table.release(this);
  }

  return {
    upgrade(request, socket, head) {
      if (readTarget(request.url).path !== path) return false;
      if (isClosed) {
        refuse(request, socket, listenerStops);
        return true;
      }
      if (isInUse(socket)) {
        reportRefusal(addressOf(request), answeredByOther);
        return true;
      }
      const greeting = readHandshake(request, isOriginAllowed);
      if ("status" in greeting) {
        refuse(request, socket, greeting);
        return true;
      }
      const status = table.admit(socket, addressOf(request));
      if (status !== undefined) {
        refuse(request, socket, { status, reason: "too many connections", retryAfterMs: retryLaterMs });
        return true;
      }
      welcome(greeting, request, socket, head).catch((thrown) => {
        refuse(request, socket, { status: 500, reason: "the upgrade failed", error: toError(thrown) });
        // It has no owner, however far it came.
        socket.destroy();
      });
      return true;
    },
    close() {
      isClosed = true;
      server.close();
      for (const upgrade of pending) upgrade.giveUp(listenerStops);
    },
  };
}
