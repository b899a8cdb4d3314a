/** The WebSocket subprotocol of a link. */
export const subprotocol = "gen-api.node.1";

/** What an upgrade request shows about its sender. */
export interface LinkCaller {
  /** Whether it comes from this machine, and not through a proxy on it. */
  readonly isLoopback: boolean;
  readonly isSecure: boolean;
  /** Browsers send it, service nodes do not. */
  readonly origin: string | undefined;
  /** The offered subprotocols, comma-separated. */
  readonly protocols: string | undefined;
}

/** Decides which callers a gateway admits to the handshake. */
export interface AdmissionRule {
  readonly hasToken: boolean;
  readonly insecure: boolean;
}

/** Why a caller is refused. */
export interface LinkRefusal {
  readonly status: 400 | 403 | 429 | 500 | 503;
  /** For telemetry; the caller gets only the status. */
  readonly reason: string;
}

/** Why a caller may not even begin the handshake; undefined if it may. */
export function refusalOf(
  { isLoopback, isSecure, origin, protocols = "" }: LinkCaller,
  { hasToken, insecure }: AdmissionRule,
): LinkRefusal | undefined {
  // Any page in a browser on this machine can reach its loopback addresses.
  if (origin !== undefined) return { status: 403, reason: "browsers are refused" };
  if (!isLoopback && !hasToken) {
    return { status: 403, reason: "without a pushToken only nodes on this machine are admitted" };
  }
  if (!isLoopback && !isSecure && !insecure) {
    return { status: 403, reason: "without TLS, or insecure: true, only nodes on this machine are admitted" };
  }
  if (protocols.split(",").some((offered) => offered.trim() === subprotocol)) return undefined;
  return { status: 400, reason: `the subprotocol ${subprotocol} is not offered` };
}
