import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { guardSocket } from "./guard-socket.ts";

/** How long the other end has to read its answer and close, milliseconds. */
const lingerMs = 1_000;

/** The most such sockets in this process; beyond that, the oldest is closed. */
const maxLingering = 256;

/** Oldest first. */
const lingering = new Set<Duplex>();

/** Answers a request with a status and an empty body, and closes its socket. */
export function endWithStatus(socket: Duplex, status: number, retryAfterMs?: number): void {
  if (socket.destroyed) return;
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, "Connection: close", "Content-Length: 0"];
  if (retryAfterMs !== undefined) lines.push(`Retry-After: ${Math.ceil(retryAfterMs / 1_000)}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  endSoon(socket);
}

/**
 * Ends a socket on which everything has been written. Further input is read and dropped: closing a socket with unread
 * bytes would reset the connection and lose the answer. A peer that does not read the answer, or does not close, is cut
 * off.
 */
export function endSoon(socket: Duplex): void {
  if (socket.destroyed) return;
  // Calling it twice has no further effect.
  if (lingering.has(socket)) return;
  guardSocket(socket);
  lingering.add(socket);
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  timer.unref();
  socket.once("close", () => {
    clearTimeout(timer);
    lingering.delete(socket);
  });
  socket.end();
  socket.resume();
  const [oldest] = lingering;
  if (lingering.size > maxLingering) oldest?.destroy();
}
