import { connect, type Socket } from "node:net";

/** A WebSocket without any manners: it writes what it is given, and reads only when it is told to. */
export class RawSocket {
  /** Resolves when the connection has ended, however. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  #onData: (data: Buffer) => void = () => undefined;
  #onDrain: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    // However the gateway gets rid of it, `closed` says so.
    socket.on("error", () => socket.destroy());
    socket.on("drain", () => this.#onDrain());
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  /** Resolves when the gateway has accepted the upgrade; rejects when it has not. */
  static async open(port: number): Promise<RawSocket> {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    const raw = new RawSocket(socket);
    socket.write(
      `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    const head = await Promise.race([new Promise((resolve) => socket.once("data", resolve)), raw.closed]);
    if (!String(head).startsWith("HTTP/1.1 101 ")) throw new Error(`Refused: ${head}`);
    socket.pause();
    return raw;
  }

  /** Takes all that comes from now on. @param onData replaces what an earlier call gave */
  read(onData: (data: Buffer) => void = () => undefined): void {
    this.#onData = onData;
    if (this.#socket.listenerCount("data") === 0) this.#socket.on("data", (data) => this.#onData(data as Buffer));
    this.#socket.resume();
  }

  /** Resolves when a join was answered, or the connection has ended. */
  async join(topic: string): Promise<void> {
    const joined = new Promise<void>((resolve) => this.read(() => resolve()));
    this.write(textFrame(`["1","1","${topic}","phx_join",{}]`));
    await Promise.race([joined, this.closed]);
  }

  /** @returns false when the gateway does not take it yet: {@link drained} tells when it has */
  write(...bytes: readonly Buffer[]): boolean {
    return bytes.map((each) => this.#socket.write(each)).at(-1) ?? true;
  }

  /** Resolves when all that was written is on its way, or the connection has ended. */
  async drained(): Promise<void> {
    if (this.#socket.closed || !this.#socket.writableNeedDrain) return;
    const drain = new Promise<void>((resolve) => {
      this.#onDrain = resolve;
    });
    await Promise.race([drain, this.closed]);
  }
}

/** Counts a text in what comes in pieces. */
export class Counter {
  readonly #text: string;
  #rest = "";

  constructor(text: string) {
    this.#text = text;
  }

  /** How often the text ends in `piece`. */
  in(piece: Buffer): number {
    const seen = this.#rest + piece.toString("latin1");
    this.#rest = seen.slice(Math.max(0, seen.length - this.#text.length + 1));
    return seen.split(this.#text).length - 1;
  }
}

/** A whole text frame, masked with zeros: the mask costs the gateway the same, and the attacker nothing. */
export function textFrame(text: string): Buffer {
  return frame(0x81, Buffer.from(text));
}

/** A frame of any kind: its first byte, FIN bit and opcode, is given. */
export function frame(firstByte: number, payload: Buffer): Buffer {
  return Buffer.concat([frameHeader(firstByte, payload.length), payload]);
}

/** What goes before a payload of `size` bytes. */
export function frameHeader(firstByte: number, size: number): Buffer {
  const mask = [0, 0, 0, 0];
  if (size < 126) return Buffer.from([firstByte, 0x80 | size, ...mask]);
  if (size < 65_536) return Buffer.from([firstByte, 0xfe, size >> 8, size & 0xff, ...mask]);
  const header = Buffer.alloc(14);
  header[0] = firstByte;
  header[1] = 0xff;
  header.writeUInt32BE(size, 6);
  return header;
}
