import { type Socket, connect as tcp } from "node:net";

/** A socket that has been upgraded by hand, for frames that no library would send. */
export async function upgraded(url: string): Promise<Socket> {
  const { host, port } = new URL(url);
  const socket = tcp(Number(port), "127.0.0.1");
  socket.on("error", () => socket.destroy());
  socket.write(
    `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await new Promise((resolve) => socket.once("data", resolve));
  return socket;
}

/** A masked frame whose mask is zero. */
export function frame(opcode: number, payload: Buffer, fin = true): Buffer {
  const first = (fin ? 0x80 : 0) | opcode;
  return Buffer.concat([Buffer.from([first]), lengthOf(payload.length), Buffer.alloc(4), payload]);
}

/** The close code of a socket made by {@link upgraded}, null when it ended without one. */
export async function closeCode(socket: Socket): Promise<number | null> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await new Promise((resolve) => {
    socket.once("end", resolve);
    socket.once("close", resolve);
    socket.on("data", () => (Buffer.concat(chunks).includes(0x88) ? resolve(undefined) : undefined));
  });
  const data = Buffer.concat(chunks);
  const at = data.indexOf(0x88);
  socket.destroy();
  return at === -1 ? null : data.readUInt16BE(at + 2);
}

/** The messages in unmasked text frames, whole ones (RFC 6455, 5.2). */
export function messagesIn(bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== 0x81) throw new Error(`No text frame begins with ${bytes[at]}`);
    const short = bytes.readUInt8(at + 1);
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    at = start + length;
    messages.push(bytes.toString("utf8", start, at));
  }
  return messages;
}

function lengthOf(bytes: number): Buffer {
  if (bytes < 126) return Buffer.from([0x80 | bytes]);
  if (bytes < 65_536) return Buffer.from([0xfe, bytes >> 8, bytes & 0xff]);
  const length = Buffer.alloc(9, 0xff);
  length.writeBigUInt64BE(BigInt(bytes), 1);
  return length;
}
