import type { Duplex } from "node:stream";

/**
 * Keeps errors of a client's socket from ending the process, for as long as the socket lives. Node's HTTP server
 * removes its own listener before `upgrade`, and later owners do not always add one. A socket closes by itself after an
 * error, and its owner hears of the close.
 */
export function guardSocket(socket: Duplex): void {
  if (!socket.listeners("error").includes(dropError)) socket.on("error", dropError);
}

function dropError(this: Duplex): void {
  this.destroy();
}
