import type { Server } from "node:net";
import { normalPath } from "./request-target.ts";

/** Where a server listens. */
export interface ListenAddress {
  /** The address it is bound to. */
  readonly host: string;
  /** The port it is bound to, never 0. */
  readonly port: number;
  /** For WebSockets; for a server on all interfaces, the URL by which this machine itself reaches it. */
  readonly url: string;
}

/** Undefined while `server` does not listen, or does not listen on a port. */
export function listenAddress(server: Server, protocol: "ws" | "wss", path: string): ListenAddress | undefined {
  const bound = server.address();
  if (bound === null || typeof bound === "string") return undefined;
  const { address: host, port, family } = bound;
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const base = `${protocol}://${family === "IPv6" ? `[${reachable}]` : reachable}:${port}`;
  // Clients append to it.
  const own = normalPath(path);
  return { host, port, url: own === "/" ? base : `${base}${own}` };
}
