import type { IncomingMessage } from "node:http";
import type { Assigns } from "./assigns.ts";
import type { TrustProxy } from "./client-address.ts";
import type { AllowedOrigins } from "./origin.ts";
import type { QueryParams } from "./query-params.ts";

/** A client that wants to connect. */
export interface ConnectRequest {
  /** The URL's query: `a[b]=1` nested, objects without a prototype. */
  readonly params: QueryParams;
  /** The official client's `authToken`, or null. */
  readonly authToken: string | null;
  /** The upgrade request itself; its `Sec-WebSocket-Protocol` no longer holds the token. */
  readonly request: IncomingMessage;
}

/** The WebSocket endpoint for clients, and what it bears. */
export interface SocketOptions {
  /** Where clients connect; they append `/websocket` themselves. @default "/socket" */
  readonly path?: string;
  /**
   * Authenticates a client: returns what is known of it, or null to refuse it with 403, as a thrown `GenApiError`
   * does. Anything else thrown is answered 500 and emitted as telemetry `connection.refuse`.
   * @default everybody connects, as nobody
   */
  readonly connect?: (request: ConnectRequest) => Assigns | null | Promise<Assigns | null>;
  /** Which web pages may connect; programs that are no browsers always may. @default "same_host" */
  readonly allowedOrigins?: AllowedOrigins;
  /**
   * Which proxies are believed what `X-Forwarded-For` says of a client's address. Without it a gateway behind a proxy
   * takes all clients for one address. @default false
   */
  readonly trustProxy?: TrustProxy;
  /** How many bytes a message's payload may have; larger ones are not parsed, and answered. @default 1_000_000 */
  readonly maxPayloadBytes?: number;
  /** How many bytes a message may have; a larger one closes its socket with 1009. @default 8_388_608 */
  readonly maxFrameBytes?: number;
  /** In how many fragments a message may come; more close the socket with 1008. @default 1_024 */
  readonly maxFragments?: number;
  /** In how many network reads a message may come; more close the socket with 1008. @default 4_096 */
  readonly maxBufferedChunks?: number;
  /** After how long without a byte from the client its socket is closed with 1002, milliseconds. @default 60_000 */
  readonly idleTimeoutMs?: number;
  /** How long a client may take to send its upgrade request, milliseconds; only on an own server. @default 10_000 */
  readonly upgradeTimeoutMs?: number;
  /** How long `connect` may take before the client is refused with 503, milliseconds. @default 10_000 */
  readonly connectTimeoutMs?: number;
  /** How long a channel's `join` may take before it is answered with an error, milliseconds. @default 10_000 */
  readonly joinTimeoutMs?: number;
  /** How long a closed socket may take to disappear before it is destroyed, milliseconds. @default 5_000 */
  readonly closeTimeoutMs?: number;
  /** Sockets in all, those still connecting included; further ones are refused with 503. @default 100_000 */
  readonly maxConnections?: number;
  /** Sockets of one IP address; further ones are refused with 429. @default 10_000 */
  readonly maxConnectionsPerAddress?: number;
  /** Topics that one socket may have joined. @default 100 */
  readonly maxChannels?: number;
  /** Requests and streams that one socket may have running; further requests are `unavailable`. @default 1_000 */
  readonly maxRequestsInFlight?: number;
  /** Bytes that may wait for a slow reader before its socket is closed with 1013. @default 4_194_304 */
  readonly maxBufferedBytes?: number;
}

/** {@link SocketOptions} with every default in place. */
export type ResolvedSocketOptions = Required<SocketOptions>;

/** The defaults of {@link SocketOptions}. */
export const socketDefaults: ResolvedSocketOptions = {
  path: "/socket",
  connect: () => ({}),
  allowedOrigins: "same_host",
  trustProxy: false,
  maxPayloadBytes: 1_000_000,
  maxFrameBytes: 8 * 1024 * 1024,
  maxFragments: 1_024,
  maxBufferedChunks: 4_096,
  idleTimeoutMs: 60_000,
  upgradeTimeoutMs: 10_000,
  connectTimeoutMs: 10_000,
  joinTimeoutMs: 10_000,
  closeTimeoutMs: 5_000,
  maxConnections: 100_000,
  maxConnectionsPerAddress: 10_000,
  maxChannels: 100,
  maxRequestsInFlight: 1_000,
  maxBufferedBytes: 4 * 1024 * 1024,
};
