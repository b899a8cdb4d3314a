// The receivers of broadcast.bench: plain TCP sockets that only count the bytes that come.
import { once } from "node:events";
import { connect } from "node:net";
import type { Dialect } from "../latency/dialect.js";
import { maskedFrame } from "../socket/socket-load.js";

/** How many are on their way to be joined at one time. */
const atOnce = 100;

/** Everybody in the room of one server. */
export class Members {
  #received = 0;
  #expected = Number.POSITIVE_INFINITY;
  #onReceived: () => void = () => undefined;

  /** Resolves when all have joined. */
  static async join(port: number, dialect: Dialect, count: number): Promise<Members> {
    const members = new Members();
    let left = count;
    const joinOneByOne = async () => {
      while (left > 0) {
        left--;
        await members.#join(port, dialect);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, joinOneByOne));
    return members;
  }

  /** Resolves when this many bytes more have come in all. */
  async received(bytes: number): Promise<void> {
    this.#expected = bytes;
    if (this.#received < bytes) await new Promise<void>((resolve) => (this.#onReceived = resolve));
    if (this.#received > bytes) throw new Error(`${this.#received} bytes came instead of ${bytes}`);
    this.#received = 0;
    this.#expected = Number.POSITIVE_INFINITY;
  }

  /** The bytes that have come since; for the first message, whose size is not known. */
  get sinceThen(): number {
    return this.#received;
  }

  async #join(port: number, { path, greeting, welcome }: Dialect): Promise<void> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    let text = "";
    const until = async (part: string) => {
      while (!text.includes(part)) text += ((await once(socket, "data")) as [Buffer])[0].toString("latin1");
    };
    await until("HTTP/1.1 101 ");
    socket.write(maskedFrame(greeting));
    await until(welcome);
    socket.on("data", (data: Buffer) => {
      this.#received += data.length;
      if (this.#received >= this.#expected) this.#onReceived();
    });
  }
}
