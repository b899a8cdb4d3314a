/** What a client offered in `Sec-WebSocket-Protocol`. */
export interface OfferedProtocols {
  /** Whether "phoenix" is among them, the only one that is ever chosen. */
  readonly phoenix: boolean;
  /** The official client's `authToken`; undefined if none was sent. */
  readonly authToken: string | undefined;
}

const bearer = "base64url.bearer.phx.";

/**
 * Reads the official client's token: `phoenix, base64url.bearer.phx.<b64>`. Despite that name it uses the standard
 * alphabet without padding; both alphabets are accepted, padded or not.
 *
 * @returns undefined if the token is not base64: the connection must be refused
 */
export function parseProtocols(header: string | undefined): OfferedProtocols | undefined {
  const offered = (header ?? "").split(",").map((protocol) => protocol.trim());
  const encoded = offered.find((protocol) => protocol.startsWith(bearer))?.slice(bearer.length);
  if (encoded !== undefined && !/^[\w+/-]*={0,2}$/.test(encoded)) return undefined;
  return {
    phoenix: offered.includes("phoenix"),
    authToken: encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString(),
  };
}
