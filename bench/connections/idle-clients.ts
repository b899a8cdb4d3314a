// Sockets that join one topic and then keep still. Plain TCP: a client library would cost more than the servers do.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { maskedFrame } from "../socket/socket-load.js";

/** How many sockets are on their way to be joined at one time. */
const atOnce = 100;

const join = maskedFrame(JSON.stringify(["1", "1", "api:lobby", "phx_join", {}]));

/** Joined sockets to one of the servers that are measured. */
export class IdleClients {
  readonly #sockets: Socket[];

  private constructor(sockets: Socket[]) {
    this.#sockets = sockets;
  }

  /** Resolves when all have joined. */
  static async join(port: number, count: number): Promise<IdleClients> {
    const sockets: Socket[] = [];
    let left = count;
    const joinOneByOne = async () => {
      while (left > 0) {
        left--;
        sockets.push(await joinOne(port));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, joinOneByOne));
    return new IdleClients(sockets);
  }

  async close(): Promise<void> {
    const closed = this.#sockets.map((socket) => once(socket, "close"));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await Promise.all(closed);
  }
}

async function joinOne(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(
    `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  const [head] = (await once(socket, "data")) as [Buffer];
  if (!head.toString("latin1").startsWith("HTTP/1.1 101 ")) throw new Error(`Refused: ${head}`);
  socket.write(join);
  const [joined] = (await once(socket, "data")) as [Buffer];
  if (!joined.includes('"status":"ok"')) throw new Error(`The join was refused: ${joined}`);
  socket.on("data", (data) => {
    throw new Error(`An idle socket received ${data}`);
  });
  return socket;
}
