import type { Server } from "node:net";

/** Where a server is found. */
export interface ListenAddress {
  /** The address that it is bound to. */
  readonly host: string;
  /** The port that it is bound to, never 0. */
  readonly port: number;
  /** For WebSockets; of a server on all interfaces the one that this machine itself reaches. */
  readonly url: string;
}

/** Undefined while `server` does not listen, or on no port. */
export function listenAddress(server: Server, protocol: "ws" | "wss", path: string): ListenAddress | undefined {
  const bound = server.address();
  if (bound === null || typeof bound === "string") return undefined;
  const { address: host, port, family } = bound;
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return { host, port, url: `${protocol}://${family === "IPv6" ? `[${reachable}]` : reachable}:${port}${path}` };
}
