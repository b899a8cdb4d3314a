import type { Socket } from "node:net";

/** What Node's HTTP and TLS servers tell of a connection that came to nothing. */
interface ConnectionError extends Error {
  readonly code?: string;
  /** What came and is no HTTP. */
  readonly rawPacket?: Buffer;
}

/** A connection that failed before it asked for anything. */
export interface ConnectionFailure {
  readonly address: string;
  /** What to answer; null where nobody would understand. */
  readonly status: 400 | 408 | 431 | null;
  /** For people; null where the other end just left without having said anything, as probes of a port do. */
  readonly reason: string | null;
}

// The first byte of whatever speaks TLS: that of a handshake.
const tlsHandshake = 0x16;

const reasons: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: "it spoke without TLS to a port that has TLS: its URL must begin with wss://",
  ERR_SSL_WRONG_VERSION_NUMBER: "it speaks no TLS",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "it has no client certificate, and one is required",
  ERR_TLS_HANDSHAKE_TIMEOUT: "it did not finish the TLS handshake in time",
  ERR_HTTP_REQUEST_TIMEOUT: "it did not finish its request in time",
  ECONNRESET: "it hung up before it was let in: where it speaks TLS it may not trust the gateway's certificate",
};

/** What a connection failed of, by what its server tells of it. */
export function failureOf(error: ConnectionError, socket: Socket): ConnectionFailure {
  const { bytesRead, remoteAddress = "unknown" } = underlying(socket);
  const isSilent = bytesRead === 0 && (error.code === "ECONNRESET" || error.code === "EPIPE");
  return { address: remoteAddress, status: statusOf(error), reason: isSilent ? null : reasonOf(error, socket) };
}

function reasonOf({ code = "", message, rawPacket }: ConnectionError, socket: Socket): string {
  const distrust = "authorizationError" in socket ? socket.authorizationError : null;
  if (distrust) return `its client certificate is not accepted: ${String(distrust)}`;
  if (rawPacket?.[0] === tlsHandshake) return "it spoke TLS to a port that has none: its URL must begin with ws://";
  const known = reasons[code];
  if (known !== undefined) return known;
  return code.startsWith("HPE_") ? `it speaks no HTTP: ${message}` : `it failed: ${code || message}`;
}

function statusOf({ code = "", rawPacket }: ConnectionError): ConnectionFailure["status"] {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return 408;
  if (code === "HPE_HEADER_OVERFLOW") return 431;
  return code.startsWith("HPE_") && rawPacket?.[0] !== tlsHandshake ? 400 : null;
}

/** The TCP socket, which knows its address after its end; Node has no public way from the TLS on it. */
function underlying(socket: Socket & { readonly _parent?: Socket | null }): Socket {
  return socket._parent ?? socket;
}
