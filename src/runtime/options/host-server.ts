import { IncomingMessage, Server } from "node:http";
import type { Http2SecureServer } from "node:http2";
import { Server as HttpsServer } from "node:https";
import { Server as TcpServer } from "node:net";
import { Duplex } from "node:stream";
import { Server as TlsServer } from "node:tls";
import { types } from "node:util";
import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";

/** A server whose upgrade requests a gateway can take; of HTTP/2 one with `allowHTTP1: true`. */
export type HostServer = Server | Http2SecureServer;

/** Why a gateway cannot be mounted on `value`, with the line to change; null for a server that it can be mounted on. */
export function hostServerFault(value: unknown): string | null {
  return servesUpgrades(value) ? null : `must be an http.Server or https.Server, got ${describeServer(value)}`;
}

/**
 * Checks what `gateway.handleUpgrade` is given.
 * @throws GenApiError `invalid_request` for anything but what a server's `upgrade` event gives
 */
export function checkUpgrade(request: unknown, socket: unknown, head: unknown): void {
  const fault = (name: string, expected: string, got: unknown) =>
    libraryError(
      "invalid_request",
      `handleUpgrade(request, socket, head) takes what a server's "upgrade" event gives: ` +
        `${name} must be ${expected}, got ${describeServer(got)}`,
    );
  if (!(request instanceof IncomingMessage)) throw fault("request", "Node's http.IncomingMessage", request);
  if (!(socket instanceof Duplex)) throw fault("socket", "the request's socket", socket);
  if (!Buffer.isBuffer(head)) throw fault("head", "a Buffer", head);
}

// An HTTP/2 server has the timeouts of an HTTP/1 server where it speaks that too.
function servesUpgrades(value: unknown): boolean {
  if (value instanceof Server || value instanceof HttpsServer) return true;
  return value instanceof TlsServer && typeof (value as { headersTimeout?: unknown }).headersTimeout === "number";
}

/** What it is, and what to give instead. */
function describeServer(value: unknown): string {
  if (types.isPromise(value)) return "a promise: await it";
  if (value instanceof TcpServer) return `${tcpServerName(value)}`;
  const { server, httpServer, getHttpServer, fetch, callback, handle } = Object(value) as Readonly<
    Record<string, unknown>
  >;
  if (servesUpgrades(server)) return "an object that has one: give its `server`, such as `server: app.server`";
  if (servesUpgrades(httpServer)) return "an object that has one: give its `httpServer`";
  if (typeof getHttpServer === "function") return "an application: give `server: app.getHttpServer()`";
  if (typeof fetch === "function") return "an application: give what `serve(app)` of @hono/node-server returns";
  if (typeof callback === "function") {
    return "an application: give `server: createServer(app.callback())` of node:http, and let that listen";
  }
  if (typeof value === "function" && typeof handle === "function") {
    return "an application: give `server: createServer(app)` of node:http, and let that listen, or what app.listen() returns";
  }
  return shown(value);
}

function tcpServerName(server: TcpServer): string {
  const name = server.constructor.name;
  if (name === "Http2SecureServer") return "one that speaks HTTP/2 alone: make it with `allowHTTP1: true`";
  if (name === "Http2Server") return "one that speaks HTTP/2 alone: a WebSocket needs one of HTTP/1.1";
  return "a server that speaks no HTTP: make it with `createServer` of node:http or node:https";
}
