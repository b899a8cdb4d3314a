/** What Node's network, TLS and HTTP report about a failed dial. */
interface DialError extends Error {
  readonly code?: string;
}

const noTrust = "the gateway's certificate is not trusted: tls.ca must be its authority's";
const noCertificate = "the gateway wants a client certificate, and this node shows none: tls.cert and tls.key";
const notAccepted = "the gateway does not accept this node's certificate (tls.cert)";

const reasons: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: noTrust,
  SELF_SIGNED_CERT_IN_CHAIN: noTrust,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: noTrust,
  UNABLE_TO_GET_ISSUER_CERT: noTrust,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: noTrust,
  CERT_HAS_EXPIRED: "the gateway's certificate has expired",
  CERT_NOT_YET_VALID: "the gateway's certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "the gateway's certificate is for another name: see tls.servername",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: noCertificate,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: notAccepted,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: notAccepted,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: notAccepted,
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: notAccepted,
  ERR_SSL_WRONG_VERSION_NUMBER: "it speaks no TLS: its URL must begin with ws://",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "it speaks no TLS: its URL must begin with ws://",
};

const hungUp: Readonly<Record<string, string>> = {
  "ws:": "it hung up without an answer: where it has TLS, its URL must begin with wss://",
  "wss:": "it hung up without an answer: it may want a client certificate that it accepts (tls.cert and tls.key)",
};

/** Why a dial failed, for people, in one line: the likely cause, and in brackets Node's own message. */
export function dialFailure(error: DialError, gateway: string): string {
  const { code = "" } = error;
  const message = error.message.trim().replaceAll(/\s+/g, " ");
  const known = reasons[code] ?? (code === "ECONNRESET" ? hungUp[new URL(gateway).protocol] : undefined);
  return known === undefined ? message : `${known} (${message})`;
}
