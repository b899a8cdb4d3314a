import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { messageOf, toError } from "../../core/errors.ts";
import type { Pipe, PipeReceiver } from "../pipe.ts";

/**
 * How long the other end has to take what was sent before a close, milliseconds; then the socket is destroyed. The
 * `closeTimeout` of whoever makes the WebSocket.
 */
export const closeGraceMs = 1_000;

// After how many messages, or bytes of them, the other sockets have their turn. Node would read two megabytes at once
// otherwise.
const messagesPerTurn = 32;
const bytesPerTurn = 256 * 1024;

// What may come before the other end has proven who it is: the whole handshake many times over. Each piece counts for
// what it costs to keep.
const maxUnprovenBytes = 256 * 1024;
const pieceOverhead = 256;

const maxPingHeader = 6;

const closeCodes = { normal: 1000, protocolError: 1002, notBinary: 1003, tooMuch: 1008 } as const;

// Made once: a message is sent without making another.
const binary = { binary: true, compress: false, fin: true } as const;

/** What a {@link WsPipe} is made of. */
export interface WsPipeOptions {
  readonly ws: WebSocket;
  readonly socket: Socket;
  readonly peer: string;
  readonly isLoopback: boolean;
  /** Told once, when the receiver has been told that the pipe has ended; the socket may live for a while. */
  readonly onEnd: (pipe: WsPipe, reason: string) => void;
  /** Told of what the receiver threw when it was told of the end. */
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
  #sent = 0;
  #written = 0;
  /** Whether all that the upgrade wrote has left. */
  #wasIdle = false;
  /** The messages below this may have been given to the operating system. */
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
    // The library closes the socket by itself then; "close" follows.
    ws.on("error", (error) => {
      this.#failure = error.message;
      this.#end(error.message);
    });
    ws.on("close", (code, reason) => {
      this.#end(this.#failure || closeText(code, reason.toString()), this.#handedOver);
    });
    socket.on("data", this.#onPiece);
    // Hung up without a closing handshake: what waits to be written would keep the socket, and its "close", for long.
    socket.prependOnceListener("end", () => {
      if (ws.readyState !== WebSocket.OPEN) return;
      ws.terminate();
      this.#end("the other end hung up", this.#handedOver);
    });
  }

  /** Gives what comes to `receiver`; to be called before the turn in which the WebSocket opened is over. */
  open(receiver: PipeReceiver): void {
    this.#receiver = receiver;
    if (this.#endReason !== undefined) this.#tellEnd(receiver, this.#endReason, undefined);
  }

  /** Whether the other end has proven who it is, now or before. */
  get isProven(): boolean {
    this.#isProven ||= this.#receiver?.isUp === true;
    return this.#isProven;
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  /** Without pings: a proxy sends them, however dead the other end is. */
  get bytesRead(): number {
    return this.#socket.bytesRead - this.#pingBytes;
  }

  send(message: Uint8Array): void {
    if (this.#endReason !== undefined || this.#ws.readyState !== WebSocket.OPEN) return;
    this.#sent += 1;
    // With nothing before it, it is given to the operating system at once; else when that has taken what is before:
    // messages, whose writing is told, or what the upgrade left there, whose writing is not.
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

  /** @param undeliveredFrom left out where what waits may be written yet */
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
    // It may be over already when the pipe ends.
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
    const reason = `more than ${maxUnprovenBytes} bytes came before the other end proved who it is`;
    this.#close(closeCodes.tooMuch, reason, "prove who you are first");
  };

  // When the last that was handed over is written, all that waited is in the next write.
  readonly #onWritten = (): void => {
    // Node says of what a destroyed socket did not write, too, that it was written.
    if (this.#socket.destroyed) return;
    this.#written += 1;
    if (this.#written >= this.#handedOver) this.#handedOver = this.#sent;
  };

  readonly #onPongWritten = (): void => {
    if (!this.#socket.destroyed) this.#handedOver = this.#sent;
  };

  // Proxies ping; nobody else. Answered only where nothing waits, so that pings without end fill no memory.
  readonly #onPing = (data: Buffer): void => {
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

/** At most the 123 bytes that a close frame holds. */
function shortened(reason: string): string {
  const bytes = Buffer.from(reason);
  // A character that was cut becomes a replacement character of three bytes.
  return bytes.length <= 123 ? reason : bytes.subarray(0, 117).toString();
}
