import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { messageOf, toError } from "../../core/errors.ts";
import type { Pipe, PipeReceiver } from "../wire/pipe.ts";

/**
 * Time for the other end to read what was sent before a close, milliseconds; then the socket is destroyed. Use it as
 * the `closeTimeout` of the WebSocket.
 */
export const closeGraceMs = 1_000;

// After this many messages, or bytes, other sockets get their turn. Node would otherwise read two megabytes at once.
const messagesPerTurn = 32;
const bytesPerTurn = 256 * 1024;

// The most that may come before the other end has proven its identity: many times the whole handshake. Each piece
// counts as much as it costs to keep.
const maxUnprovenBytes = 256 * 1024;
const pieceOverhead = 256;

// More pings than any proxy sends before the other end has proven its identity. Each costs as much as a message.
const maxUnprovenPings = 16;

const maxPingHeader = 6;

const closeCodes = { normal: 1000, protocolError: 1002, notBinary: 1003, tooMuch: 1008 } as const;

// Created once: sending a message creates no other.
const binary = { binary: true, compress: false, fin: true } as const;

/** The parts of a {@link WsPipe}. */
export interface WsPipeOptions {
  readonly ws: WebSocket;
  readonly socket: Socket;
  readonly peer: string;
  readonly isLoopback: boolean;
  /** Called once, after the receiver was notified of the end; the socket may live a little longer. */
  readonly onEnd: (pipe: WsPipe, reason: string) => void;
  /** Receives an error that the receiver threw when it was notified of the end. */
  readonly fail: (error: unknown) => void;
}

/** A pipe over an open WebSocket. */
export class WsPipe implements Pipe {
  readonly peer: string;
  readonly isLoopback: boolean;
  readonly #options: WsPipeOptions;
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  #receiver: PipeReceiver | undefined;
  #isProven = false;
  #unprovenBytes = 0;
  #received = 0;
  #receivedBytes = 0;
  #endReason: string | undefined;
  #failure = "";
  #pingBytes = 0;
  #unprovenPings = 0;
  #sent = 0;
  #written = 0;
  /** Whether everything the upgrade wrote has left. */
  #wasIdle = false;
  /** Messages with a lower number may have been handed to the operating system. */
  #handedOver = 0;

  constructor(options: WsPipeOptions) {
    const { ws, socket, peer, isLoopback } = options;
    this.#options = options;
    this.#ws = ws;
    this.#socket = socket;
    this.peer = peer;
    this.isLoopback = isLoopback;
    ws.on("message", this.#onMessage);
    ws.on("ping", this.#onPing);
    // The library then closes the socket by itself; "close" follows.
    ws.on("error", (error) => {
      this.#failure = error.message;
      this.#end(error.message);
    });
    ws.on("close", (code, reason) => {
      this.#end(this.#failure || closeText(code, reason.toString()), this.#handedOver);
    });
    socket.on("data", this.#onPiece);
    // The peer hung up without a closing handshake: unsent data would delay the socket's "close" for long.
    socket.prependOnceListener("end", () => {
      if (ws.readyState !== WebSocket.OPEN) return;
      ws.terminate();
      this.#end("the other end hung up", this.#handedOver);
    });
  }

  /** Passes messages to `receiver`; call it within the turn in which the WebSocket opened. */
  open(receiver: PipeReceiver): void {
    this.#receiver = receiver;
    if (this.#endReason !== undefined) this.#tellEnd(receiver, this.#endReason, undefined);
  }

  /** Whether the other end has proven its identity, now or before. */
  get isProven(): boolean {
    this.#isProven ||= this.#receiver?.isUp === true;
    return this.#isProven;
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  /** Without pings: a proxy sends them even if the other end is dead. */
  get bytesRead(): number {
    return this.#socket.bytesRead - this.#pingBytes;
  }

  send(message: Uint8Array): void {
    if (this.#endReason !== undefined || this.#ws.readyState !== WebSocket.OPEN) return;
    this.#sent += 1;
    // With nothing before it, it goes to the operating system at once. Otherwise it follows what is before: messages,
    // which report their writing, or the rest of the upgrade, which does not.
    const isIdle = this.#socket.writableLength === 0;
    this.#wasIdle ||= isIdle;
    if (isIdle || !this.#wasIdle) this.#handedOver = this.#sent;
    this.#ws.send(message, binary, this.#onWritten);
  }

  close(reason: string): void {
    this.#close(closeCodes.normal, reason, reason);
  }

  #close(code: number, reason: string, reasonForPeer: string): void {
    if (this.#endReason !== undefined) return;
    this.#ws.close(code, shortened(reasonForPeer));
    this.#end(reason);
  }

  /** @param undeliveredFrom left out if waiting messages may still be written */
  #end(reason: string, undeliveredFrom?: number): void {
    if (this.#endReason !== undefined) return;
    this.#endReason = reason;
    this.#socket.off("data", this.#onPiece);
    if (this.#receiver !== undefined) this.#tellEnd(this.#receiver, reason, undeliveredFrom);
  }

  #tellEnd(receiver: PipeReceiver, reason: string, undeliveredFrom: number | undefined): void {
    const { onEnd, fail } = this.#options;
    try {
      receiver.closed(reason, undeliveredFrom);
    } catch (thrown) {
      fail(thrown);
    }
    onEnd(this, reason);
  }

  readonly #onMessage = (data: unknown, isBinary: boolean): void => {
    if (this.#endReason !== undefined) return;
    if (!isBinary) {
      this.#close(closeCodes.notBinary, "a text message came", "messages must be binary");
      return;
    }
    this.#received += 1;
    this.#receivedBytes += (data as Buffer).length;
    if (this.#received === messagesPerTurn || this.#receivedBytes >= bytesPerTurn) {
      this.#received = 0;
      this.#receivedBytes = 0;
      if (!this.#ws.isPaused) pauseForOneTurn(this.#ws);
    }
    try {
      this.#receiver?.received(data as Buffer);
    } catch (thrown) {
      this.#close(closeCodes.protocolError, messageOf(toError(thrown)), "a message cannot be taken");
      return;
    }
    // It may be over by the time the pipe ends.
    if (!this.#isProven) this.#isProven = this.#receiver?.isUp === true;
  };

  // Called when the messages of the piece have been received.
  readonly #onPiece = (piece: Buffer): void => {
    if (this.isProven) {
      this.#socket.off("data", this.#onPiece);
      return;
    }
    this.#unprovenBytes += piece.length + pieceOverhead;
    if (this.#unprovenBytes <= maxUnprovenBytes) return;
    this.#cutOff(`more than ${maxUnprovenBytes} bytes`);
  };

  /** A stranger sends too much: nothing more is read, not even its answer to the close frame. */
  #cutOff(what: string): void {
    const reason = `${what} came before the other end proved its identity`;
    this.#close(closeCodes.tooMuch, reason, "prove your identity first");
    this.#socket.destroySoon();
  }

  // When the last message handed over is written, all waiting ones are in the next write.
  readonly #onWritten = (): void => {
    // For a destroyed socket Node reports even unwritten data as written.
    if (this.#socket.destroyed) return;
    this.#written += 1;
    if (this.#written >= this.#handedOver) this.#handedOver = this.#sent;
  };

  readonly #onPongWritten = (): void => {
    if (!this.#socket.destroyed) this.#handedOver = this.#sent;
  };

  // Only proxies send pings. Answered only if nothing waits, so that endless pings fill no memory.
  readonly #onPing = (data: Buffer): void => {
    if (this.#endReason !== undefined) return;
    if (!this.isProven && ++this.#unprovenPings > maxUnprovenPings) {
      this.#cutOff(`more than ${maxUnprovenPings} pings`);
      return;
    }
    this.#pingBytes += data.length + maxPingHeader;
    if (this.#socket.writableLength === 0) this.#ws.pong(data, undefined, this.#onPongWritten);
  };
}

function pauseForOneTurn(ws: WebSocket): void {
  ws.pause();
  setImmediate(() => ws.resume());
}

function closeText(code: number, reason: string): string {
  if (code === 1009) return "the other end takes no message of that length: see its maxMessageBytes";
  if (reason !== "") return `the other end closed: ${reason}`;
  return code === 1006 ? "the connection was lost" : `the other end closed, with code ${code}`;
}

/** At most the 123 bytes that fit into a close frame. */
function shortened(reason: string): string {
  const bytes = Buffer.from(reason);
  // A cut character becomes a replacement character of three bytes.
  return bytes.length <= 123 ? reason : bytes.subarray(0, 117).toString();
}
