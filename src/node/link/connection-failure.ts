import type { Socket } from "node:net";
import { underlyingSocket } from "../../core/net/underlying-socket.ts";

/** What Node's HTTP and TLS servers report about a failed connection. */
interface ConnectionError extends Error {
  readonly code?: string;
  /** The received bytes that are not HTTP. */
  readonly rawPacket?: Buffer;
}

/** A connection that failed before it sent a request. */
export interface ConnectionFailure {
  readonly address: string;
  /** The answer to send; null if the other end could not understand one. */
  readonly status: 400 | 408 | 431 | null;
  /** For people; null if the other end just left without a word, as port probes do. */
  readonly reason: string | null;
}

// The first byte of a TLS handshake.
const tlsHandshake = 0x16;

const reasons: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: "it spoke without TLS to a port that has TLS: its URL must begin with wss://",
  ERR_SSL_WRONG_VERSION_NUMBER: "it speaks no TLS",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "it has no client certificate, and one is required",
  ERR_TLS_HANDSHAKE_TIMEOUT: "it did not finish the TLS handshake in time",
  ERR_HTTP_REQUEST_TIMEOUT: "it did not finish its request in time",
  ECONNRESET: "it hung up before it was admitted: where it speaks TLS it may not trust the gateway's certificate",
};

/** Why a connection failed, from its server's error. */
export function connectionFailure(error: ConnectionError, socket: Socket): ConnectionFailure {
  const { bytesRead, remoteAddress = "unknown" } = underlyingSocket(socket);
  const isSilent = bytesRead === 0 && (error.code === "ECONNRESET" || error.code === "EPIPE");
  return { address: remoteAddress, status: statusOf(error), reason: isSilent ? null : reasonOf(error, socket) };
}

function reasonOf({ code = "", message, rawPacket }: ConnectionError, socket: Socket): string {
  const distrust = "authorizationError" in socket ? socket.authorizationError : null;
  if (distrust) return `its client certificate is not accepted: ${String(distrust)}`;
  if (rawPacket?.[0] === tlsHandshake) return "it spoke TLS to a port that has none: its URL must begin with ws://";
  const known = reasons[code];
  if (known !== undefined) return known;
  return code.startsWith("HPE_") ? `it does not speak HTTP: ${message}` : `it failed: ${code || message}`;
}

function statusOf({ code = "", rawPacket }: ConnectionError): ConnectionFailure["status"] {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return 408;
  if (code === "HPE_HEADER_OVERFLOW") return 431;
  return code.startsWith("HPE_") && rawPacket?.[0] !== tlsHandshake ? 400 : null;
}
