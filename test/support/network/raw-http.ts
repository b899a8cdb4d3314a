import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** The headers of a good WebSocket upgrade, but for `Host`. */
const upgradeLines =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/** A WebSocket upgrade request for `target`, to the last byte. */
export function upgradeRequest(target: string, more = ""): string {
  return `GET ${target} HTTP/1.1\r\nHost: x\r\n${upgradeLines}${more}\r\n`;
}

/** A TCP connection whose end is no error of the test's. */
export async function open(port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect(port, host);
  socket.on("error", () => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Sends bytes as they are. @returns everything that comes until the other end closes */
export async function exchange(port: number, text: string): Promise<string> {
  const socket = await open(port);
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  socket.write(text);
  if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}

/** The first line, such as "HTTP/1.1 404 Not Found", of what bytes are answered with. */
export async function statusLine(port: number, text: string): Promise<string> {
  const socket = await open(port);
  socket.write(text);
  const data = await new Promise((resolve) => {
    socket.once("data", resolve);
    socket.once("close", () => resolve(""));
  });
  socket.destroy();
  return String(data).split("\r\n", 1)[0] ?? "";
}
