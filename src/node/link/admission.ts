/** The WebSocket subprotocol of a link. */
export const subprotocol = "gen-api.node.1";

/** What an upgrade request tells about who sends it. */
export interface Caller {
  /** Whether it comes from this machine, and from no proxy on it. */
  readonly isLoopback: boolean;
  readonly isSecure: boolean;
  /** Browsers send it, service nodes do not. */
  readonly origin: string | undefined;
  /** The subprotocols that it offers, comma-separated. */
  readonly protocols: string | undefined;
}

/** What decides whom a gateway lets as far as the handshake. */
export interface AdmissionRule {
  readonly hasToken: boolean;
  readonly insecure: boolean;
}

/** Why a caller is not let in. */
export interface Refusal {
  readonly status: 400 | 403 | 429 | 503;
  /** For telemetry; the caller gets the status alone. */
  readonly reason: string;
}

/** Whether a caller may speak at all, before anybody has proven anything; undefined lets it. */
export function refusalOf(
  { isLoopback, isSecure, origin, protocols = "" }: Caller,
  { hasToken, insecure }: AdmissionRule,
): Refusal | undefined {
  // Any page that is open in a browser on this machine can reach its loopback addresses.
  if (origin !== undefined) return { status: 403, reason: "browsers are not let in" };
  if (!isLoopback && !hasToken) {
    return { status: 403, reason: "without a pushToken only nodes on this machine are let in" };
  }
  if (!isLoopback && !isSecure && !insecure) {
    return { status: 403, reason: "without TLS, or insecure: true, only nodes on this machine are let in" };
  }
  if (protocols.split(",").some((offered) => offered.trim() === subprotocol)) return undefined;
  return { status: 400, reason: `the subprotocol ${subprotocol} is not offered` };
}
