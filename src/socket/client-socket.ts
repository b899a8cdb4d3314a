import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { usedByOther } from "../core/net/shared-socket.ts";
import type { Connection } from "./connection.ts";
import type { Inbound, InboundSource, ReceivedMessage } from "./inbound/inbound.ts";
import type { OpenSocket } from "./outbound/open-socket.ts";

// With more than this waiting, the client is not reading: further messages would not reach it soon.
const unreadBytes = 65_536;

// A close frame's reason has no room for more (RFC 6455, 5.5).
const maxReasonBytes = 123;

const client = Symbol("client");

/** The stream of a client, with a reference to its socket. */
type ClientStream = Socket & { [client]?: ClientSocket };

type Read = (this: Socket, bytes: Buffer) => void;

/**
 * A client's WebSocket. Methods handle its events, and fields hold their data: listeners for each client would cost a
 * fifth of an idle connection, and keep alive everything in their scope.
 */
export class ClientSocket extends WebSocket implements OpenSocket, InboundSource {
  declare socket: Socket;
  declare connection: Connection;
  /** When it was opened, milliseconds of the gateway's clock. */
  declare openedAt: number;
  declare inbound: Inbound;
  declare read: Read;
  isParsing = true;
  /** The library's description of its error. */
  failure = "";

  /** Takes the bytes of its stream away from the library, and gives them to `inbound`. */
  attach(socket: Socket, inbound: Inbound): void {
    this.socket = socket;
    this.inbound = inbound;
    // The library parses everything that the network brings at once, perhaps thousands of messages. Here it gets the
    // bytes when it is this client's turn.
    this.read = socket.listeners("data").at(-1) as Read;
    socket.off("data", this.read);
    (socket as ClientStream)[client] = this;
  }

  /** Lets the client's messages come, from a later turn on. */
  open(connection: Connection): void {
    this.connection = connection;
    this.inbound.listen(connection);
    this.socket.on("data", onData);
    this.socket.on("finish", onFinish);
  }

  /** Handles the library's events; only "close" is left to listeners. */
  override emit(event: string | symbol, first?: unknown, second?: unknown): boolean {
    switch (event) {
      case "message":
        this.inbound.message(first as Buffer, second as boolean);
        return true;
      case "ping":
        this.inbound.ping(first as Buffer);
        return true;
      case "pong":
        this.inbound.pong(first as Buffer);
        return true;
      case "error":
        // The library then closes the socket by itself; "close" follows.
        this.failure = (first as Error).message;
        return true;
      default:
        return super.emit(event, first, second);
    }
  }

  /** The socket is gone. */
  closed(): void {
    this.inbound.stop();
    this.connection.closed();
  }

  get isOpen(): boolean {
    return this.readyState === WebSocket.OPEN;
  }

  get bytesReceived(): number {
    return this.socket.bytesRead;
  }

  get partSince(): number | null {
    return this.inbound.partSince;
  }

  get isBusy(): boolean {
    return this.inbound.isBusy;
  }

  takeBack(messages: readonly ReceivedMessage[]): void {
    this.inbound.takeBack(messages);
  }

  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, typeof reason === "string" ? cut(reason) : reason);
  }

  abandon(code: number, reason: string): void {
    this.inbound.stop();
    if (this.socket.writableLength > unreadBytes) {
      this.socket.destroy();
      return;
    }
    this.close(code, reason);
    this.socket.destroySoon();
  }

  parse(bytes: Buffer): void {
    const wasOpen = this.isOpen;
    this.read.call(this.socket, bytes);
    // The library closes for a close frame and for bytes that are not WebSocket; nothing may be written to it after.
    if (wasOpen ? !this.isOpen : this.socket.writableEnded) this.isParsing = false;
  }

  override pong(data: Buffer): void {
    // A client that does not read gets no pong, which would wait in memory.
    if (this.isOpen && this.socket.writableLength < unreadBytes) super.pong(data);
  }
}

function onData(this: ClientStream, bytes: Buffer): void {
  this[client]?.inbound.receive(bytes);
}

// The library alone ends the stream of a WebSocket that closes.
function onFinish(this: ClientStream): void {
  const socket = this[client];
  if (socket?.isOpen !== true) return;
  socket.failure = usedByOther;
  socket.terminate();
}

function cut(reason: string): string {
  return Buffer.byteLength(reason) <= maxReasonBytes
    ? reason
    : Buffer.from(reason).toString("utf8", 0, maxReasonBytes - 3);
}
