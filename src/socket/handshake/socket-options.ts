import type { IncomingMessage } from "node:http";
import { normalPath } from "../../core/net/request-target.ts";
import { type FrameLimit, frameLimitDefaults } from "../inbound/frame-limit.ts";
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
  /**
   * Aborts when the answer is no longer needed: the client has gone, `connectTimeoutMs` has passed, or the gateway is
   * stopping. The reason is a GenApiError `cancelled`, `timeout` or `stopped`.
   */
  readonly signal: AbortSignal;
}

/** The WebSocket endpoint for clients, and its limits. */
export interface SocketOptions {
  /** Where clients connect; they append `/websocket` themselves. Empty segments do not count. @default "/socket" */
  readonly path?: string;
  /**
   * Authenticates a client. Returns the client's identity, or null to refuse it with 403; a thrown `GenApiError` also
   * refuses it with 403. A thrown `ConnectRefused` refuses it with a status of your choice, anything else thrown with 500.
   * Telemetry reports every refusal as `connection.refuse`.
   * @default accepts every client, without a user id
   */
  readonly connect?: (request: ConnectRequest) => Assigns | null | Promise<Assigns | null>;
  /** Which web pages may connect. Programs other than browsers always may. @default "same_host" */
  readonly allowedOrigins?: AllowedOrigins;
  /**
   * Which proxies the gateway trusts to name the client's address in `X-Forwarded-For`. Without it, all clients behind a
   * proxy count as one address. @default false
   */
  readonly trustProxy?: TrustProxy;
  /** The largest payload of a message, bytes; a larger one is answered without being parsed. @default 1_000_000 */
  readonly maxPayloadBytes?: number;
  /** The largest message, bytes; a larger one closes its socket with 1009. @default maxPayloadBytes + 65_536 */
  readonly maxFrameBytes?: number;
  /** At most this many fragments in one message; more close the socket with 1008. @default 1_024 */
  readonly maxFragments?: number;
  /** At most this many network reads for one message; more close the socket with 1008. @default 4_096 */
  readonly maxBufferedChunks?: number;
  /** How long a message may take to arrive, milliseconds; then its socket closes with 1008. @default 120_000 */
  readonly messageTimeoutMs?: number;
  /**
   * How much one socket may send. The gateway reads a socket over the limit more slowly, and closes one that stays over
   * it with 1008. A message costs one point and one for each 128 bytes; a join or a crashed channel costs 50 more. A
   * client that reconnects, recognised by its user id or else by its network, continues with the points it had left.
   */
  readonly frameLimit?: FrameLimit;
  /** The largest payload of a push or broadcast of the host's, bytes of JSON. @default 1_048_576 */
  readonly maxPushBytes?: number;
  /** How long a client may send no byte before its socket is closed with 1002, milliseconds. @default 60_000 */
  readonly idleTimeoutMs?: number;
  /** How long a client may take to send its upgrade request, milliseconds; only with `listen`. @default 10_000 */
  readonly upgradeTimeoutMs?: number;
  /** How long `connect` may take before the client is refused with 503, milliseconds. @default 10_000 */
  readonly connectTimeoutMs?: number;
  /** How long a channel's `join` may take before the join is refused, milliseconds. @default 10_000 */
  readonly joinTimeoutMs?: number;
  /** How long a closed socket may take to disappear before it is destroyed, milliseconds. @default 5_000 */
  readonly closeTimeoutMs?: number;
  /** At most this many sockets, including those still connecting; further ones are refused with 503. @default 100_000 */
  readonly maxConnections?: number;
  /** At most this many sockets per IP address or IPv6 network (/64); further ones are refused with 429. @default 10_000 */
  readonly maxConnectionsPerAddress?: number;
  /**
   * At most this many TCP connections that have not sent an upgrade request; only with `listen`. Beyond that, the address
   * with the most of them loses its oldest. @default 512
   */
  readonly maxWaitingConnections?: number;
  /** At most this many topics joined on one socket. @default 100 */
  readonly maxChannels?: number;
  /** At most this many running requests and streams on one socket; further ones are `unavailable`. @default 250 */
  readonly maxRequestsInFlight?: number;
  /**
   * Bytes of memory that the running requests of one socket may hold; further requests are `unavailable`. A single
   * request may hold more. @default 8_388_608
   */
  readonly maxRequestBytesInFlight?: number;
  /** The same for all sockets together; no socket may hold more than is free. @default 134_217_728 */
  readonly maxRequestBytesInSum?: number;
  /** At most this many open streams on one socket, over all its channels; further ones are `unavailable`. @default 50 */
  readonly maxStreamsInFlight?: number;
  /** Bytes that may wait for a slow reader before its socket is closed with 1013. @default 4_194_304 */
  readonly maxBufferedBytes?: number;
  /**
   * Bytes that all sockets together may hold: data that waits for readers, has arrived in part, or waits for joins and
   * turns. Beyond that, the socket that holds most is closed with 1013. @default 134_217_728
   */
  readonly maxHeldBytes?: number;
}

/** {@link SocketOptions} with every default in place. */
export type ResolvedSocketOptions = Required<Omit<SocketOptions, "frameLimit">> & {
  readonly frameLimit: Required<FrameLimit>;
};

/** How much larger a message may be than its payload: topic, event and refs. */
const headBytes = 65_536;

/** The default of `maxFrameBytes`: the gateway does not read a frame whose payload it could only refuse. */
export const maxFrameBytesFor = (maxPayloadBytes: number): number => maxPayloadBytes + headBytes;

/** The defaults of {@link SocketOptions}. */
export const socketDefaults: ResolvedSocketOptions = {
  path: "/socket",
  connect: () => ({}),
  allowedOrigins: "same_host",
  trustProxy: false,
  maxPayloadBytes: 1_000_000,
  maxFrameBytes: maxFrameBytesFor(1_000_000),
  messageTimeoutMs: 120_000,
  frameLimit: frameLimitDefaults,
  maxFragments: 1_024,
  maxBufferedChunks: 4_096,
  maxPushBytes: 1024 * 1024,
  idleTimeoutMs: 60_000,
  upgradeTimeoutMs: 10_000,
  connectTimeoutMs: 10_000,
  joinTimeoutMs: 10_000,
  closeTimeoutMs: 5_000,
  maxConnections: 100_000,
  maxConnectionsPerAddress: 10_000,
  maxWaitingConnections: 512,
  maxChannels: 100,
  maxRequestBytesInFlight: 8 * 1024 * 1024,
  maxRequestBytesInSum: 128 * 1024 * 1024,
  maxRequestsInFlight: 250,
  maxStreamsInFlight: 50,
  maxBufferedBytes: 4 * 1024 * 1024,
  maxHeldBytes: 128 * 1024 * 1024,
};

/** The path of upgrade requests, as `normalPath` writes it. */
export function socketPath({ path }: ResolvedSocketOptions): string {
  return normalPath(`${path}/websocket`);
}
