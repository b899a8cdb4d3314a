import type { Socket } from "node:net";

/**
 * Why the gateway did not get, or lost, the socket of an upgrade request: all listeners of a server receive the same
 * socket.
 */
export const usedByOther =
  "another upgrade listener of the server has answered, or closed, the same socket; start the gateway without `server`, " +
  "and call gateway.handleUpgrade before that listener: docs/hosts.md";

/** Whether another listener has already answered an upgrade request that is now offered. */
export function isInUse(socket: Socket): boolean {
  return socket.writableEnded || socket.listenerCount("data") > 0 || socket.listenerCount("readable") > 0;
}

/**
 * Watches the socket of an unanswered upgrade request.
 * @returns whether another listener has used it since
 */
export function watchOtherUse(socket: Socket): () => boolean {
  const { bytesWritten } = socket;
  return () => socket.bytesWritten !== bytesWritten || isClosedHere(socket);
}

/** Whether this side closed it, rather than its client or an error. */
function isClosedHere(socket: Socket): boolean {
  return socket.destroyed && socket.errored === null && !socket.readableEnded;
}
