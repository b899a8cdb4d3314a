import type { Socket } from "node:net";

/**
 * The TCP socket below a TLS socket, or the socket itself. It is the one of a server's `connection` event, and knows
 * its address even after its end. Node has no public way to it.
 */
export function underlyingSocket(socket: Socket & { readonly _parent?: Socket | null }): Socket {
  return socket._parent ?? socket;
}
